import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dependencies } from '../../../../activities/dependencies';
import { isAnySwitched } from '../../../../activities/traffic/prepared-switches';
import { SWITCH_UNCONFIRMED } from '../../../../activities/traffic/traffic-switch';
import { parsedPlan, SMALLEST_PLAN } from '../../../support/plan';

/** A pause comes down only where it is known that traffic is not switched: what can't be read says nothing. */

const folder = mkdtempSync(join(tmpdir(), 'keyshift-switched-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const POOLER = { host: '127.0.0.1', port: 1, secret: 'x' };
const from = { address: 'source.example', port: 5432 };
const to = { address: 'target.example', port: 5432 };
const entries = (host: string): string => `[databases]\nshop = host=${host} port=5432\n`;

function fileWith(name: string, host: string): string {
  const file = join(folder, name);
  writeFileSync(file, entries(host));
  return file;
}

function ask(files: string | [string, ...string[]], isBegun: boolean): Promise<boolean> {
  const plan = parsedPlan({
    ...SMALLEST_PLAN,
    cutover: { traffic: [{ type: 'pgbouncer', file: files }], poolers: [POOLER] },
  });
  // What a pooler says is red at most; where the entries point is said by the files.
  const aws = (): never => {
    throw new Error('no pooler here');
  };
  const deps = { aws } as unknown as Dependencies;
  return isAnySwitched({ deps, ref: { id: 'x', plan }, from, to }, isBegun);
}

test.each([
  ['names the source', from.address, false],
  ['names the target', to.address, true],
])('a file that %s is an answer, whether the switch has begun or not', async (_what, host, switched) => {
  const file = fileWith('entries.ini', host);
  await expect(ask(file, false)).resolves.toBe(switched);
  await expect(ask(file, true)).resolves.toBe(switched);
});

test.each([
  ["can't be read", join(folder, 'nowhere', 'entries.ini'), "can't be read"],
  ['names neither side', fileWith('other.ini', 'elsewhere.example'), 'names neither side'],
])('a file that %s is one only where no request can have been sent', async (_what, file, why) => {
  await expect(ask(file, false)).resolves.toBe(false);
  await expect(ask(file, true)).rejects.toMatchObject({
    type: SWITCH_UNCONFIRMED,
    nonRetryable: false,
    message: expect.stringContaining(why) as string,
  });
});

test('one of two files that names the target is enough', async () => {
  const files: [string, string] = [join(folder, 'nowhere', 'entries.ini'), fileWith('target.ini', to.address)];
  await expect(ask(files, true)).resolves.toBe(true);
  await expect(ask([files[0], fileWith('source.ini', from.address)], true)).rejects.toMatchObject({
    type: SWITCH_UNCONFIRMED,
  });
});
