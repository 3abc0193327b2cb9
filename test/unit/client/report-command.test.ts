import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { addReport } from '../../../client/commands/report';
import { EXIT } from '../../../client/exit-codes';
import { renderReport } from '../../../client/render-report';
import { renderPage } from '../../../evidence/page';
import { recordedReport } from '../../support/reports';

const folder = mkdtempSync(join(tmpdir(), 'keyshift-report-'));
const saved = join(folder, 'saved.json');
const report = { ...recordedReport(), ofALaterVersion: [1] };
beforeAll(() => writeFileSync(saved, JSON.stringify(report)));
afterAll(() => {
  rmSync(folder, { recursive: true });
  process.exitCode = 0;
});
afterEach(() => jest.restoreAllMocks());

/** Runs `keyshift report` in this process. */
async function run(...args: string[]): Promise<{ stdout: string; stderr: string; exitCode: number }> {
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    jest.spyOn(process[name], 'write').mockImplementation((text) => {
      out[name] += String(text);
      return true;
    });
  }
  const program = new Command('keyshift').option('--json', 'print JSON');
  addReport(program);
  await program.parseAsync(['report', ...args], { from: 'user' });
  jest.restoreAllMocks();
  return { ...out, exitCode: Number(process.exitCode) };
}

describe('of a saved report, without a server', () => {
  test('prints text, one page, or all of it', async () => {
    await expect(run('--from', saved)).resolves.toMatchObject({ exitCode: 0, stdout: `${renderReport(report)}\n` });
    await expect(run('--from', saved, '--html')).resolves.toMatchObject({ exitCode: 0, stdout: renderPage(report) });
    const { stdout } = await run('encrypt-app-db', '--from', saved, '--json');
    expect(JSON.parse(stdout)).toEqual(report);
  });

  test.each([['html'], ['json'], ['text']])('writes %s to a file, and says what is in it', async (format) => {
    const file = join(folder, `report.${format}`);
    const { stdout } = await run('--from', saved, '--out', file, ...(format === 'text' ? [] : [`--${format}`]));
    const text = readFileSync(file, 'utf8');
    expect(text).toBe(
      { html: renderPage(report), json: `${JSON.stringify(report, null, 2)}\n`, text: `${renderReport(report)}\n` }[
        format
      ],
    );
    const sha256 = createHash('sha256').update(text).digest('hex');
    if (format === 'json') expect(JSON.parse(stdout)).toEqual({ file, bytes: Buffer.byteLength(text), sha256 });
    else expect(stdout).toContain(`sha256 ${sha256}`);
  });
});

test.each([
  ['both formats', ['--from', saved, '--html', '--json'], 'give one of --html and --json'],
  ['neither a migration nor a file', [], 'give the id of a migration'],
  ['a file that is not there', ['--from', join(folder, 'none.json')], "can't be read"],
  ['a file that is no JSON', ['--from', __filename], 'is not JSON'],
  ['JSON that is no report', ['--from', join(__dirname, '../../../package.json')], 'is not a report'],
  ['the report of another migration', ['another', '--from', saved], 'migration encrypt-app-db, not of another'],
  ['a folder that is not there', ['--from', saved, '--out', join(folder, 'none', 'x')], "can't be written"],
])('refuses %s, and says so', async (_what, args, message) => {
  const { stderr, exitCode } = await run(...args);
  expect(stderr).toContain(message);
  expect(exitCode).toBe(EXIT.usage);
});
