import { type BoardLine, green, red as redLine } from '../../plan/board';
import { bytes as inBytes, duration } from '../../plan/format';
import { slotName } from '../../plan/names';
import type { MigrationRef } from '../dependencies';
import { type EachDatabase, oneByOne } from '../each-database';
import { type Access, queryRows, type Sides, withSession } from '../postgres/session';
import { activeJobs, keepJobsOff, hasCron, jobsStay, seenJobs, type SeenJob } from '../quarantine/cron-jobs';
import { findStrays } from '../quarantine/stray-writers';
import { foreignSubscriptions, tablesStillCopied } from '../quarantine/subscriptions';
import { countLargeObjects } from './large-objects';
import { listUnloggedTables } from './unlogged-tables';

/** What one side reads or takes in a second, at least; for the estimate only. */
const BYTES_PER_S = 50_000_000;

interface Findings {
  readonly red: readonly string[];
  readonly findings: readonly string[];
}

export interface CarryBoard {
  readonly lines: readonly BoardLine[];
  /** How long writes are stopped for what is copied, about, in milliseconds. */
  readonly copyMs: number;
}

type Input = MigrationRef & { readonly databases: readonly string[] };

/** The part of the board that is about what replication leaves behind, and about what must not run on both sides. */
export async function readCarryBoard(
  input: Input,
  { source, target }: Sides,
  each: EachDatabase = oneByOne,
): Promise<CarryBoard> {
  const red: string[] = [];
  const findings: string[] = [];
  const copied = await copiedInPause(source, input, each);
  findings.push(...copied.findings);
  const moved = await movedSubscriptions(source, target, input);
  red.push(...moved.red);
  const jobs = await movedJobs(source, target, input, each);
  red.push(...jobs.red);
  findings.push(...moved.findings, ...jobs.findings);
  findings.push(...(await foreignSlots(source, input)));
  const [first] = input.databases;
  const strays = await withSession(
    target,
    { step: 'go-no-go', database: first ?? 'postgres', readOnly: true },
    (session) => findStrays(session, input.id),
  );
  if (strays.connected.length > 0) {
    const who = [...new Set(strays.connected.map(({ user, application }) => `${user} (${application || 'unnamed'})`))];
    findings.push(`connected to the target already, and ended in the pause: ${who.join(', ')}`);
  }
  return {
    lines: [...redLine('strays', ...strays.writing), ...redLine('carry', ...red), ...green('carry', ...findings)],
    copyMs: copied.ms,
  };
}

async function copiedInPause(
  source: Access,
  { id, databases, plan }: Input,
  each: EachDatabase,
): Promise<{ findings: string[]; ms: number }> {
  const total = { objects: 0, objectBytes: 0, tables: 0, tableBytes: 0 };
  await each('large objects and unlogged tables', databases, (database, look) =>
    withSession(source, { step: 'go-no-go', database, readOnly: true, ...look }, async (session) => {
      const objects = await countLargeObjects(session);
      const tables = await listUnloggedTables(session, id);
      total.objects += objects.count;
      total.objectBytes += objects.count > 0 ? objects.bytes : 0;
      total.tables += tables.length;
      total.tableBytes += tables.reduce((sum, { bytes }) => sum + bytes, 0);
    }),
  );
  const { largeObjects, unloggedTables } = plan.carry;
  const found: string[] = [];
  const msFor = (size: number) => Math.ceil((size / BYTES_PER_S) * 1_000);
  const estimate = (size: number) => `${inBytes(size)}, about ${duration(msFor(size))}`;
  if (total.objects > 0) {
    found.push(
      largeObjects === 'copy'
        ? `${total.objects} large objects are hashed in the pause, and copied where they changed since: ${estimate(total.objectBytes)}`
        : `${total.objects} large objects are NOT carried: the target keeps those of the snapshot (carry.largeObjects)`,
    );
  }
  if (total.tables > 0) {
    found.push(
      unloggedTables === 'copy'
        ? `${total.tables} unlogged tables are copied in the pause: ${estimate(total.tableBytes)}`
        : `${total.tables} unlogged tables are empty on the target (carry.unloggedTables: ${unloggedTables})`,
    );
  }
  const copied = (largeObjects === 'copy' ? total.objectBytes : 0) + (unloggedTables === 'copy' ? total.tableBytes : 0);
  return { findings: found, ms: msFor(copied) };
}

async function movedSubscriptions(source: Access, target: Access, input: Input): Promise<Findings> {
  const look = { step: 'go-no-go', readOnly: true };
  const [first = 'postgres'] = input.databases;
  const [there, here] = await Promise.all(
    [source, target].map((access) =>
      withSession(access, { ...look, database: first }, (session) => foreignSubscriptions(session, input)),
    ),
  );
  const red: string[] = [];
  const findings: string[] = [];
  for (const { database, name, enabled, slot } of there ?? []) {
    if (input.plan.carry.subscriptions !== 'move' || !input.databases.includes(database)) {
      findings.push(`subscription ${name} (database ${database}) stays on the source and is off on the target`);
      continue;
    }
    if (!here?.some((one) => one.name === name && one.database === database)) {
      red.push(
        `subscription ${name} (database ${database}) came to the source after the snapshot: drop it, or abort and start again`,
      );
      continue;
    }
    const copying = await withSession(source, { ...look, database }, (session) => tablesStillCopied(session, name));
    if (copying.length > 0)
      red.push(`subscription ${name} still copies ${copying.join(', ')}: wait until it is done, then approve again`);
    findings.push(
      enabled && slot !== null
        ? `subscription ${name} (database ${database}): the target goes on with it, by slot ${slot}`
        : `subscription ${name} (database ${database}) is disabled, and will be on the target`,
    );
  }
  return { red, findings };
}

/** Also sets jobs of the target inactive that became active by replication, where no trigger of ours could keep them off. */
async function movedJobs(
  source: Access,
  target: Access,
  { databases, plan }: Input,
  each: EachDatabase,
): Promise<Findings> {
  const found = await each('cron jobs', databases, (database, look) =>
    withSession(source, { step: 'go-no-go', database, readOnly: true, ...look }, async (session) => {
      if (!(await hasCron(session))) return { red: [], findings: [] };
      const jobs = await activeJobs(session);
      const here = await withSession(target, { step: 'go-no-go', database, ...look }, async (there) => {
        await keepJobsOff(there);
        return seenJobs(there);
      });
      // What is replicated arrives by itself.
      const changed = (await jobsStay(session)) ? changedJobs(await seenJobs(session), here, database) : [];
      const findings = [
        plan.carry.cronJobs === 'move'
          ? `${jobs.length} cron jobs are stopped on the source in the pause and run on the target after the switch`
          : `${jobs.length} cron jobs stay active on the source and are off on the target (carry.cronJobs)`,
      ];
      return plan.carry.cronJobs === 'move'
        ? { red: changed, findings }
        : { red: [], findings: [...findings, ...changed] };
    }),
  );
  return { red: found.flatMap(({ red }) => red), findings: found.flatMap(({ findings }) => findings) };
}

/** Jobs that are not the same on both sides, where a change of them is not replicated. */
function changedJobs(source: readonly SeenJob[], target: readonly SeenJob[], database: string): string[] {
  const textOf = ({ name, schedule, command, rest }: SeenJob) => JSON.stringify([name, schedule, command, rest]);
  const [there, here] = [source, target].map((jobs) => new Map(jobs.map((job) => [job.id, textOf(job)])));
  const ids = [...new Set([...(there?.keys() ?? []), ...(here?.keys() ?? [])])];
  return ids
    .filter((id) => there?.get(id) !== here?.get(id))
    .map((id) => {
      const what = !here?.has(id)
        ? 'is missing on the target'
        : there?.has(id)
          ? 'is another on the target'
          : 'is gone on the source';
      return `job ${id} of pg_cron (database ${database}) ${what}: changes of jobs are not replicated. Make the same change on the target, inactive, or take it back on the source`;
    });
}

async function foreignSlots(source: Access, input: Input): Promise<string[]> {
  const ours = input.databases.map((database) => slotName(input, database));
  const rows = await withSession(source, { step: 'go-no-go', database: 'postgres', readOnly: true }, (session) =>
    queryRows<{ slot: string; plugin: string | null; active: boolean }>(
      session,
      `SELECT slot_name AS slot, plugin, active FROM pg_replication_slots
        WHERE NOT temporary AND slot_name <> ALL ($1::text[]) ORDER BY 1`,
      [ours],
    ),
  );
  return rows.map(
    ({ slot, plugin, active }) =>
      `slot ${slot} (${plugin ?? 'physical'}, ${active ? 'read' : 'not read'} now) stays on the source: whoever reads it begins anew on the target`,
  );
}
