/**
 * Records the report of a whole migration of the sample application, with a person's answers, a warning that is
 * acknowledged and a block that is overridden: `npm run report:record -- <file.json>`. Takes about two minutes.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Aws } from '../../local/app/aws';
import { withClient } from '../../local/app/databases';
import { SAMPLE } from '../../local/app/names';
import { addressOf, describeInstance, readLogin } from '../../local/app/source';
import { runDemo } from '../../local/demo/demo';
import { toStderr } from '../../local/tools/report';
import { stopRequests } from '../../local/world/until-signal';
import { startWorld, type World } from '../../local/world/world';
import { keyshift, MIGRATION } from '../e2e/support/migration';

/** Slower than the demo, so that the guard looks more often. */
const TIME_SCALE = 0.06;

const COMMENTS: Readonly<Record<string, string>> = {
  'reboot-source': 'in the maintenance window, CHG-4711',
  cutover: 'support is informed; CHG-4711',
  decommission: 'two weeks without a complaint; CHG-4720',
};

/** An unlogged table blocks, and nobody minds. */
async function addUnlogged(world: World, aws: Aws): Promise<void> {
  const found = await describeInstance(aws, SAMPLE.instance);
  if (!found) throw new Error(`no instance ${SAMPLE.instance}`);
  const login = await readLogin(aws, SAMPLE.masterSecret);
  await withClient(addressOf(found, world.caBundle), login, 'shop', async (client) => {
    await client.query('CREATE UNLOGGED TABLE page_cache (url text PRIMARY KEY, body text)');
    await client.query(
      `INSERT INTO page_cache SELECT 'https://shop.example/' || n, repeat('x', 40) FROM generate_series(1, 500) n`,
    );
  });
}

async function main(file: string): Promise<void> {
  const signal = stopRequests(toStderr);
  const world = await startWorld({
    root: join('.keyshift', 'record-report'),
    report: toStderr,
    timeScale: TIME_SCALE,
    signal,
  });
  try {
    await world.startWorker();
    let answered = '';
    const override = [{ code: 'unlogged-tables', reason: 'page_cache fills itself again; agreed with the shop team' }];
    await runDemo({
      world,
      rows: 20_000,
      rate: 150,
      report: toStderr,
      signal,
      hold: true,
      plan: { override, ...(JSON.parse(process.env['KEYSHIFT_RECORD_PLAN'] ?? '{}') as object) },
      hooks: {
        sampleReady: (aws) => addUnlogged(world, aws),
        async looked({ gate }) {
          if (!gate || gate.name === 'decommission' || gate.openedAt === answered) return;
          answered = gate.openedAt;
          await approve(world, gate.name);
        },
        beforeFinish: () => approve(world, 'decommission'),
      },
    });
    const { stdout } = await keyshift(world, '--json', 'report', MIGRATION);
    writeFileSync(file, stdout);
  } finally {
    await world.stop();
  }
}

async function approve(world: World, gate: string): Promise<void> {
  const by = gate === 'decommission' ? 'carla' : 'ben';
  const { exitCode, stderr } = await keyshift(
    world,
    'approve',
    MIGRATION,
    '--gate',
    gate,
    '--by',
    by,
    '--comment',
    COMMENTS[gate] ?? '',
  );
  if (exitCode !== 0) throw new Error(stderr);
}

const [file] = process.argv.slice(2);
if (file === undefined) {
  toStderr('give the file to write: npm run report:record -- <file.json>');
  process.exitCode = 2;
} else {
  void main(file);
}
