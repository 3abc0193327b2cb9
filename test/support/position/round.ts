import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { readRecoveryLog } from '../../../activities/position/from-recovery-log';
import { type PositionProof, provePosition } from '../../../activities/position/prove-position';
import { createFenceTable, writeOnce } from '../../../activities/postgres/fence-table';
import { settingsOf } from '../../../activities/postgres/session';
import { publicationName, slotName } from '../../../plan/names';
import type { SlotFacts } from '../../../plan/position';
import { readControlFile } from '../../../local/postgres/control-file';
import { type CloneEvent, describeHistory, type History } from './history';
import { lossOf } from './oracle';
import { Random } from './random';
import type { Site } from './site';
import { DATABASES, SCHEMA, SourceLife } from './source-events';

export interface RoundResult {
  readonly history: History;
  /** `right`: subscribed from it, and every row is there once. `parked`: no position, and why. `wrong`: the rest. */
  readonly verdict: 'right' | 'parked' | 'wrong';
  readonly detail: string;
  readonly proof: PositionProof;
  /** Where the clone ends, by the server that replayed it. */
  readonly truth: string;
  readonly ms: number;
}

/** A position that is tried instead of the one that was found: the count of rows has to notice. */
export type OtherPosition = (found: Pick<RoundResult, 'proof' | 'truth'>) => string;

/** A round: a history on real servers, the product's look at it, and a subscription from where it says. */
export async function playRound(source: Site, history: History, other?: OtherPosition): Promise<RoundResult> {
  const startedAt = Date.now();
  const random = new Random(history.seed ^ 0x5eed);
  const id = `r${history.seed}`;
  let clone: Site | undefined;
  const life = new SourceLife(source, random);
  try {
    await prepareSource(source);
    for (const event of history.beforeSlot) await life.happen(event);
    const slots = await makeSlots(source, id, life);
    for (const event of history.beforeSnapshot) await life.happen(event);
    clone = await snapshot(source, life, history, random);
    // What came along with the image: of what the source does later, the clone knows nothing.
    const sourceLog = source.log;
    const imageBefore = await nextSecond();
    for (const event of history.afterSnapshot) await life.happen(event);
    const truth = await restore(clone, history);
    for (const event of history.clone) await happenToClone(clone, event, history.seedFunction ? truth : undefined);
    if (history.log === 'rotated') {
      clone.forgetLog();
      await clone.restart('immediate', history.seedFunction ? truth : undefined);
    }
    const proof = await look(source, clone, { id, slots, imageBefore, log: logOf(sourceLog, clone, history) });
    const { decision } = proof;
    const result = { history, proof, truth };
    if ('disputed' in decision) {
      return { ...result, verdict: 'parked', detail: decision.disputed, ms: Date.now() - startedAt };
    }
    await life.settle();
    const position = other?.(result) ?? decision.lsn;
    const loss = await lossOf(source, clone, { slots, publication: publicationName(id), position });
    const detail = `${position}${loss === undefined ? '' : `, but ${loss}; the clone ends at ${truth}`}`;
    return { ...result, verdict: loss === undefined ? 'right' : 'wrong', detail, ms: Date.now() - startedAt };
  } catch (error) {
    throw new Error(`round ${history.seed}: ${describeHistory(history)}`, { cause: error });
  } finally {
    await clone?.remove();
    await life.settle().catch(() => undefined);
    await cleanUp(source, id);
  }
}

async function prepareSource(source: Site): Promise<void> {
  for (const database of DATABASES) {
    await source.sql(database, `DROP TABLE IF EXISTS plain, keyed; DROP SEQUENCE IF EXISTS numbers; ${SCHEMA}`);
    await source.sql(database, `INSERT INTO plain SELECT nextval('numbers') FROM generate_series(1, 20)`);
  }
}

/** As the steps `publication` and `slot` make them. */
async function makeSlots(source: Site, id: string, life: SourceLife): Promise<SlotFacts[]> {
  const slots: SlotFacts[] = [];
  // A slot waits for every transaction that is open, prepared ones too.
  await life.settle();
  for (const database of DATABASES) {
    await withProductSession(source, database, async (client) => {
      await createFenceTable(client, id);
      await client.query(`CREATE PUBLICATION ${publicationName(id)} FOR ALL TABLES`);
      const slot = slotName({ id }, database);
      await client.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
      const { rows } = await client.query<{ at: string }>(
        'SELECT confirmed_flush_lsn::text AS at FROM pg_replication_slots WHERE slot_name = $1',
        [slot],
      );
      const consistentPoint = rows[0]?.at ?? '';
      await writeOnce(client, id, 'slot', consistentPoint);
      slots.push({ database, slot, consistentPoint });
    });
  }
  return slots;
}

async function snapshot(source: Site, life: SourceLife, history: History, random: Random): Promise<Site> {
  const writers = life.writers(history.writersDuringSnapshot);
  try {
    if (history.writersDuringSnapshot > 0) await sleep(50 + random.below(200));
    if (history.stoppedImage) {
      await life.settle();
      await source.stop('fast');
    } else if (history.fullPage) {
      await source.fillPage('postgres');
    }
    const clone = await source.image(history.seedFunction);
    if (history.stoppedImage) await source.start();
    if (history.writersDuringSnapshot > 0) await sleep(random.below(100));
    return clone;
  } finally {
    await writers.end();
  }
}

/** A moment after the image was taken that no earlier second has; a restore comes minutes later. */
async function nextSecond(): Promise<Date> {
  const next = new Date((Math.floor(Date.now() / 1000) + 1) * 1000);
  while (Date.now() < next.getTime()) await sleep(next.getTime() - Date.now());
  return next;
}

/** The first start. Returns where it ended, by the server itself; and starts it anew, as RDS may do. */
async function restore(clone: Site, { killRecoveryAfterMs, seedFunction }: History): Promise<string> {
  const control = readControlFile(clone.dataDir);
  if (killRecoveryAfterMs !== undefined) await clone.startAndKill(killRecoveryAfterMs);
  const later = readControlFile(clone.dataDir);
  await clone.start();
  const rows = await clone.sql<{ lsn: string | null }>('postgres', 'SELECT pg_last_wal_replay_lsn()::text AS lsn');
  const recoveredTwice = later.checkpointLsn !== control.checkpointLsn;
  const truth = control.cleanlyStopped
    ? control.checkpointLsn
    : recoveredTwice
      ? later.checkpointLsn
      : (rows[0]?.lsn ?? control.checkpointLsn);
  await clone.restart('fast', seedFunction ? truth : undefined);
  return truth;
}

async function happenToClone(clone: Site, event: CloneEvent, seedLsn: string | undefined): Promise<void> {
  switch (event) {
    case 'own transactions':
      for (let n = 0; n < 6; n++) await clone.sql('postgres', `CREATE TABLE IF NOT EXISTS own_${n} (x int)`);
      return;
    case 'own transactions rolled back':
      for (let n = 0; n < 3; n++) await clone.sql('postgres', `BEGIN; CREATE TABLE never (x int); ROLLBACK`);
      return;
    case 'checkpoint':
      await clone.sql('postgres', 'CHECKPOINT');
      return;
    case 'clean restart':
      return clone.restart('fast', seedLsn);
    case 'crash':
      return clone.restart('immediate', seedLsn);
  }
}

function logOf(sourceLog: string, clone: Site, { log }: History): string | undefined {
  switch (log) {
    case 'gone':
      return undefined;
    case 'with the log of the source before it':
      return sourceLog + clone.log;
    case 'without "invalid record length"':
      return clone.log.replaceAll(/^.*invalid record length.*\n/gm, '');
    case 'whole':
    case 'rotated':
      return clone.log;
  }
}

interface Seen {
  readonly id: string;
  readonly slots: readonly SlotFacts[];
  readonly imageBefore: Date;
  readonly log: string | undefined;
}

async function look(source: Site, clone: Site, { id, slots, imageBefore, log }: Seen): Promise<PositionProof> {
  return withProductSession(clone, DATABASES[0], (target) =>
    provePosition({
      id,
      slots,
      target,
      onSource: (database, work) => withProductSession(source, database, work),
      recoveryLog: (notBefore) =>
        Promise.resolve(
          log === undefined
            ? { kind: 'recovery-log', why: 'the instance has no log files' }
            : readRecoveryLog(log, 'the log', { imageBefore, notBefore }),
        ),
    }),
  );
}

function withProductSession<T>(site: Site, database: string, work: (client: Client) => Promise<T>): Promise<T> {
  return site.session(database, async (client) => {
    await client.query(settingsOf({ statementTimeoutMs: 60_000 }));
    return work(client);
  });
}

async function cleanUp(source: Site, id: string): Promise<void> {
  if (!source.isRunning) await source.start();
  await source.sql(
    'postgres',
    `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL`,
  );
  for (let tries = 0; tries < 50; tries++) {
    const left = await source.sql(
      'postgres',
      `SELECT CASE WHEN active_pid IS NULL THEN pg_drop_replication_slot(slot_name)::text END FROM pg_replication_slots`,
    );
    if (left.length === 0) break;
    await sleep(50);
  }
  for (const database of DATABASES) {
    await source.sql(
      database,
      `DROP PUBLICATION IF EXISTS ${publicationName(id)}; DROP SCHEMA IF EXISTS ${publicationName(id)} CASCADE`,
    );
  }
  source.forgetLog();
}
