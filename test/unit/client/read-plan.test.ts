import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT } from '../../../client/exit-codes';
import { checkMigrationId, readPlan } from '../../../client/read-plan';
import { SMALLEST_PLAN } from '../../support/plan';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyshift-plan-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function fileWith(text: string): Promise<string> {
  const file = join(folder, 'plan');
  await writeFile(file, text);
  return file;
}

describe('a plan in a file', () => {
  it.each([
    ['JSON', JSON.stringify(SMALLEST_PLAN)],
    [
      'YAML',
      `# four values
source: { instance: app-db, secret: app-db-master }
target:
  instance: app-db-encrypted
  kmsKeyId: alias/databases
`,
    ],
  ])('is read from %s, as the operator wrote it', async (_, text) => {
    await expect(readPlan(await fileWith(text))).resolves.toEqual(SMALLEST_PLAN);
  });

  it('with three mistakes is refused with all three, and nothing was touched', async () => {
    const file = await fileWith('source: { instance: app-db }\ntarget: { instance: app--x, kmsKeyId: k }\nnotes: x\n');
    await expect(readPlan(file)).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: expect.stringMatching(
        /has 3 mistakes; nothing was touched:\n[^]*source\.secret[^]*target\.instance[^]*\(plan\)/,
      ) as string,
      details: [{ path: 'source.secret' }, { path: 'target.instance' }, { path: '(plan)' }].map(
        (problem) => expect.objectContaining(problem) as object,
      ),
    });
  });

  it('that is neither YAML nor JSON is refused with the place', async () => {
    await expect(readPlan(await fileWith('source: {instance: [}'))).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: expect.stringMatching(/neither YAML nor JSON: .*line 1/s) as string,
    });
  });

  it('that is not there is refused with its name', async () => {
    await expect(readPlan(join(folder, 'missing.yaml'))).rejects.toMatchObject({
      exitCode: EXIT.usage,
      message: expect.stringMatching(/missing\.yaml can't be read: ENOENT/) as string,
    });
  });

  it('that is empty is refused', async () => {
    await expect(readPlan(await fileWith(''))).rejects.toMatchObject({ exitCode: EXIT.usage });
  });
});

describe('the id of a migration', () => {
  it('is taken or refused before Temporal is asked', () => {
    expect(checkMigrationId('encrypt-app-db')).toBe('encrypt-app-db');
    for (const id of ['a--b', 'a-']) expect(() => checkMigrationId(id)).toThrow('no two in a row');
    expect(() => checkMigrationId('Encrypt_App_DB')).toThrow('beginning with a letter');
  });
});
