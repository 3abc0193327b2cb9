import { Command } from 'commander';
import { runCommand, sayOnce } from '../../../client/command';
import { CommandError, EXIT } from '../../../client/exit-codes';
import { renderProgress } from '../../../client/output';
import { renderReport } from '../../../client/render-report';
import { renderPage } from '../../../evidence/page';
import { endedReportOf } from '../../support/ended-reports';

const EVIL = '\u001b]0;owned\u0007\u001b[31mada\u202e\u009b2J';
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

/** A value in which every string of the world and of people is that. */
const poisoned = <T>(value: T): T =>
  JSON.parse(
    JSON.stringify(value, (key, one: unknown) =>
      ['text', 'note', 'by', 'comment', 'message', 'reason', 'why', 'what', 'found'].includes(key) ? EVIL : one,
    ),
  ) as T;

/** What a command wrote. */
async function written(json: boolean, work: () => Promise<{ text: string; json: unknown }>) {
  const out: string[] = [];
  const spies = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation((text) => {
      out.push(String(text));
      return true;
    }),
  );
  try {
    const program = new Command('keyshift').option('--json');
    if (json) program.setOptionValue('json', true);
    await runCommand(program, work);
    sayOnce()(EVIL);
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = 0;
  }
  return out.join('');
}

const report = poisoned(endedReportOf('rolled-back'));

test.each([
  ['a report', () => ({ text: renderReport(report), json: report })],
  ['a progress', () => ({ text: renderProgress(report.progress, [EVIL]), json: report.progress })],
])('%s reaches the terminal without anything that it would act on', async (_name, make) => {
  for (const json of [false, true]) {
    const text = await written(json, () => Promise.resolve(make()));
    expect(text).toContain('ada');
    expect(text).not.toMatch(HIDDEN);
  }
});

test('an error does, too', async () => {
  const text = await written(false, () => Promise.reject(new CommandError(EXIT.refused, `refused by ${EVIL}`)));
  expect(text).toContain('keyshift: refused by \\u001b]0;owned');
  expect(text).not.toMatch(HIDDEN);
});

test('the page does, too', () => {
  expect(renderPage(report)).toContain('\\u001b]0;owned');
  expect(renderPage(report)).not.toMatch(HIDDEN);
});
