import { queryRows } from '../../postgres/session';
import type { Check } from '../../../plan/checks';
import { counted, evidenceOf, named } from '../findings';
import type { ServerCheck } from '../sql-check';

/** Processes that PostgreSQL itself starts; what else there is comes from an extension. Subscriptions have a check of their own. */
const OWN_WORKERS = [
  'logical replication launcher',
  'logical replication worker',
  'logical replication apply worker',
  'logical replication parallel worker',
  'logical replication tablesync worker',
  'slotsync worker',
  'parallel worker',
  'autoprewarm leader',
  'autoprewarm worker',
];

/** What a background worker of an extension does to the pause, and what to do about it. */
interface Kind {
  readonly type: RegExp;
  readonly level: Check['level'];
  readonly what: string;
  readonly remedy?: string;
}

/** `backend_type` is the name that an extension gives its worker. */
const KINDS: readonly Kind[] = [
  {
    type: /^pglogical/i,
    level: 'block',
    what: 'applies changes of another server',
    remedy: 'SELECT pglogical.alter_subscription_disable(sub_name, true) FROM pglogical.subscription;',
  },
  {
    type: /^(pgactive|bdr)\b/i,
    level: 'block',
    what: 'applies changes of other nodes',
    remedy: 'Take the database out of its group first (SELECT pgactive.pgactive_detach_nodes(...)).',
  },
  {
    type: /^pg_partman/i,
    level: 'warn',
    what: 'makes and drops partitions',
    remedy: 'Set pg_partman_bgw.interval so that it does not run in the window, and make enough partitions before.',
  },
  { type: /^pg_cron launcher$/i, level: 'ok', what: 'starts jobs: see cron-jobs' },
  { type: /^pg_cron/i, level: 'ok', what: 'a job that runs: see cron-jobs' },
  { type: /^(pg_wait_sampling|pg_stat_monitor|pgsentinel)/i, level: 'ok', what: 'reads only' },
  { type: /^(aurora|rds)\b/i, level: 'ok', what: "RDS's own" },
];

/** A background worker that PostgreSQL itself does not have. */
export interface BackgroundWorker {
  readonly type: string;
  readonly database: string | null;
}

/** One without a database can't reach a table; of any other that isn't known nobody can tell whether it writes. */
function kindOf({ type, database }: BackgroundWorker): Kind {
  const known = KINDS.find((kind) => kind.type.test(type));
  if (known) return known;
  return database === null
    ? { type: /./, level: 'ok', what: 'is connected to no database' }
    : { type: /./, level: 'warn', what: 'is not known to us, and may write' };
}

const SEVERITY: readonly Check['level'][] = ['ok', 'warn', 'block'];

/** What workers of extensions mean for the pause: no fence stops one, since it doesn't log in. */
export function judgeWorkers(found: readonly BackgroundWorker[]): Check {
  const code = 'background-workers';
  if (found.length === 0) return { code, level: 'ok', message: 'no extension has a background worker' };
  const judged = found.map((worker) => ({ ...worker, ...kindOf(worker), name: worker.type }));
  const level = SEVERITY.findLast((one) => judged.some((worker) => worker.level === one)) ?? 'ok';
  const lineOf = ({ name, database, what }: (typeof judged)[number]) =>
    `${name}${database === null ? '' : ` in ${database}`} (${what})`;
  const evidence = evidenceOf(judged.map(lineOf));
  const stopping = judged.filter((worker) => worker.level !== 'ok');
  if (level === 'ok') {
    return {
      code,
      level,
      message: `${counted(found.length, 'background worker')} of extensions, which the parameter group starts on the target, too: ${named(judged.map(lineOf))}`,
      evidence,
    };
  }
  const remedies = [...new Set(stopping.flatMap(({ remedy }) => remedy ?? []))];
  return {
    code,
    level,
    message: `${counted(stopping.length, 'background worker')} of extensions that the fence does not stop: ${named(stopping.map(lineOf))}. What one writes in the pause keeps the pause from its end; what it writes after the switch stays on the old side. The parameter group starts them on the target, too.`,
    remedy: [...remedies, 'Stop what writes before the cutover; what only reads may stay.'].join(' '),
    evidence,
  };
}

/** Background workers of extensions. The target gets the same parameter group and starts them, too. */
export const backgroundWorkers: ServerCheck = {
  code: 'background-workers',
  look: async (session) => [
    judgeWorkers(
      await queryRows<BackgroundWorker>(
        session,
        `SELECT a.backend_type AS type, a.datname AS database FROM pg_stat_activity a
          WHERE a.backend_type <> ALL ($1::text[])
            AND a.backend_type !~ '^(autovacuum|client backend|background writer|checkpointer|archiver|startup|standalone backend|walreceiver|walsender|walwriter|walsummarizer|wal|io worker|stats collector|logger|dead-end client backend|postmaster)'
          ORDER BY 1`,
        [OWN_WORKERS],
      ),
    ),
  ],
};
