import { z } from 'zod';
import type { BoardCode } from '../plan/board';
import type { CheckCode } from '../plan/checks';
import type { GateName } from '../plan/gates';
import type { Plan } from '../plan/plan';
import type { Report } from '../plan/report';
import type { Phase, StepName } from '../plan/steps';

/*
 * The one source of docs/report.schema.json. A field that `Report` (plan/report.ts) gains has to be added here: the type
 * at the end of this file says what is missing, and so does test/unit/evidence/schema.test.ts.
 *
 * Codes of checks, names of steps and gates, and the plan are open on purpose: a report outlives the version that wrote it, and
 * readers must not refuse a report for a check that they don't know.
 */

const when = () => z.iso.datetime({ offset: true });
const count = () => z.number().int().min(0);
const name = <T extends string>(what: string) =>
  z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .describe(what) as unknown as z.ZodType<T>;
const lsn = (what: string) =>
  z
    .string()
    .regex(/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/)
    .describe(what);

const plan = z
  .looseObject({
    source: z.looseObject({ instance: z.string(), secret: z.string().describe('name or ARN; never its value') }),
    target: z.looseObject({ instance: z.string(), kmsKeyId: z.string() }),
    strategy: z.string(),
  })
  .describe(
    'the plan with all defaults filled in; examples/all-options.yaml has every field',
  ) as unknown as z.ZodType<Plan>;

const step = z.object({
  name: name<StepName>('docs/how-it-works.md explains each'),
  phase: name<Phase>('of the runbook'),
  status: z.enum(['pending', 'running', 'done', 'skipped', 'failed']),
  startedAt: when().optional(),
  endedAt: when().optional(),
  note: z.string().optional().describe('what came of it'),
});

const sourceHealth = z.object({
  retainedBytes: z.number(),
  safeWalBytes: z.number().optional(),
  freeStorageBytes: z.number().optional(),
  freeStoragePercent: z.number().optional(),
  storageFullInMs: z.number().optional(),
  slotLostInMs: z.number().optional(),
  oldestTransactionMs: z.number().optional(),
  catalogXminAge: z.number().optional(),
  spilledBytes: z.number().optional(),
  changedSchemas: z.array(z.string()).optional(),
});

const lag = z.object({
  bytes: z.number(),
  trend: z.enum(['falling', 'steady', 'rising']),
  at: when(),
  goneInMs: z.number().optional(),
  source: sourceHealth.optional(),
});

const approval = z.object({
  gate: name<GateName>('what was asked'),
  by: z.string().describe('who answered; "plan" where the plan wants no approval'),
  comment: z.string().optional(),
  opening: count().optional(),
  waive: z.array(z.string()).optional().describe('codes of red lines of the board that this person waived'),
  at: when(),
  decision: z.enum(['approved', 'rejected']),
});

const status = z.enum(['running', 'waiting', 'parked', 'aborting', 'aborted', 'failed', 'rolled-back', 'completed']);

const boardCode = () => name<BoardCode>('docs/board.md or docs/checks.md explains each');

const boardLine = z.object({
  code: boardCode(),
  red: z.boolean(),
  text: z.string(),
  final: z.literal(true).optional().describe('red, and nobody can waive it'),
});

const board = z.object({
  at: when(),
  lines: z.array(boardLine),
  forecast: z
    .object({ ms: z.number(), steps: z.array(z.object({ step: z.string(), ms: z.number() })) })
    .optional()
    .describe('how long writes would be stopped, in milliseconds'),
  window: z.object({ open: z.boolean(), opensAt: when().optional(), closesAt: when() }).optional(),
});

const waiver = z.object({
  code: boardCode(),
  text: z.string().describe('the red line as it was then'),
  by: z.string(),
  reason: z.string(),
  at: when(),
});

const progress = z.object({
  migration: z.string(),
  phase: name<Phase>('of the runbook'),
  status,
  steps: z.array(step),
  gate: z
    .object({
      name: name<GateName>('what is asked'),
      opening: count(),
      openedAt: when(),
      findings: z.array(z.string()),
      command: z.string(),
      approvals: z.object({ needed: count(), by: z.array(z.string()) }).optional(),
    })
    .optional(),
  board: board.optional(),
  blocked: z
    .object({ lines: z.array(boardLine), command: z.string().optional() })
    .optional()
    .describe('what keeps the gate of the cutover closed'),
  switching: z
    .object({ to: z.string(), command: z.string() })
    .optional()
    .describe('somebody has to move the traffic by hand'),
  parked: z
    .object({
      step: name<StepName>('where'),
      type: z.string().describe('docs/failures.md explains each'),
      message: z.string(),
      details: z.unknown().optional(),
    })
    .optional(),
  retrying: z
    .array(z.object({ activity: z.string(), attempt: count(), since: when(), message: z.string() }))
    .optional()
    .describe('activities that have been failing for a while, and are tried again'),
  lag: lag.optional(),
  wayBack: z
    .object({
      state: z.enum(['replicating', 'lost']),
      since: when(),
      command: z.string(),
      why: z.string().optional().describe('why it is lost'),
    })
    .optional()
    .describe('whether what is written on the target goes back to the source'),
  soak: z
    .object({ notBefore: when().optional(), stoppedAt: when().optional(), costs: z.array(z.string()) })
    .optional()
    .describe('while applications live on the target, until decommission is approved'),
  notices: z.array(z.object({ at: when(), text: z.string() })),
  approvals: z.array(approval),
  undone: z.array(z.object({ name: z.string(), ok: z.boolean(), message: z.string().optional() })),
});

const check = z.object({
  code: name<CheckCode>('docs/checks.md explains each'),
  level: z.enum(['ok', 'warn', 'block']),
  message: z.string(),
  remedy: z.string().optional(),
  evidence: z.record(z.string(), z.unknown()).optional(),
});

const source = z.object({
  instance: z.string(),
  resourceId: z.string().describe('never used again by AWS'),
  engineVersion: z.string(),
  address: z.string(),
  port: count(),
  parameterGroup: z.string(),
  encrypted: z.boolean(),
  kmsKeyId: z.string().optional(),
  masterUser: z.string(),
  databases: z.array(z.string()),
  tables: count(),
  sizeBytes: z.number(),
  targetKmsKeyArn: z.string().describe('key that the target is to be encrypted under'),
});

const target = z.object({
  instance: z.string(),
  resourceId: z.string().describe('never used again by AWS'),
  arn: z.string(),
  address: z.string(),
  port: count(),
  kmsKeyArn: z.string().describe('as RDS says, read back'),
});

const positionKind = z.enum(['seed-function', 'recovery-log', 'walinspect', 'xid-split']);

const position = z.object({
  lsn: lsn('where the clone ends'),
  evidence: z.array(
    z.object({
      kind: positionKind,
      after: lsn('exclusive lower bound').optional(),
      upTo: lsn('inclusive upper bound').optional(),
      exactly: lsn('the end, where it is named').optional(),
      lastRecord: lsn('start of the very last record that the clone has replayed').optional(),
      tentative: z.boolean().optional(),
      standsAlone: z.boolean().optional().describe('used no fact of another kind, or would say the same without it'),
      commitBetween: lsn('a commit between the LSNs that other kinds name').optional(),
      firstOwnXid: z.number().optional(),
      found: z.string(),
    }),
  ),
  silent: z.array(z.object({ kind: positionKind, why: z.string() })),
});

const slot = z.object({
  database: z.string(),
  slot: z.string(),
  consistentPoint: lsn('from which the slot decodes'),
  schema: z.string().optional().describe('fingerprint of the schema at that point'),
});

const fieldValues = { field: z.string(), wanted: z.string(), found: z.string() };

const settings = z.object({
  instances: z.array(
    z.object({
      instance: z.string(),
      like: z.string(),
      compared: count(),
      planned: z.array(z.string()),
      differences: z.array(z.object({ ...fieldValues, command: z.string().optional() })),
      notCompared: z.array(z.object(fieldValues)),
    }),
  ),
  roleSettings: count(),
  replicas: z.array(z.string()),
});

const rowDifference = z.object({
  key: z.string(),
  kind: z.enum(['onlyOnSource', 'onlyOnTarget', 'different']),
  columns: z.array(z.string()).optional(),
  values: z
    .array(z.object({ column: z.string(), source: z.string().nullable(), target: z.string().nullable() }))
    .optional(),
});

const comparison = {
  tables: count(),
  rows: count(),
  differences: z.array(
    z.object({
      database: z.string(),
      table: z.string(),
      onlyOnSource: count(),
      onlyOnTarget: count(),
      different: count(),
      examples: z.array(z.string()),
      rows: z.array(rowDifference).optional(),
      atLeast: z.boolean().optional(),
    }),
  ),
  undecided: count(),
  notProven: z
    .array(
      z.object({
        database: z.string(),
        schema: z.string(),
        table: z.string(),
        columns: z.array(z.string()).optional().describe('these alone; absent: nothing of the table'),
        why: z.string(),
      }),
    )
    .optional()
    .describe('what could not be compared, and why'),
  notProvenTables: count().optional().describe('how many, where `notProven` does not name all'),
  durationMs: z.number(),
};

const proof = z.object({
  ...comparison,
  method: z.enum(['snapshot', 'row-versions']),
  changedSince: count(),
  goneSince: count(),
  tablesBySnapshot: count().optional(),
  inventory: z.record(z.string(), z.object({ source: count(), target: count() })).optional(),
  sequencesBehind: z.array(z.string()).optional(),
  sequencesBehindCount: count().optional().describe('where `sequencesBehind` does not name all'),
  sourceChangedSince: count()
    .optional()
    .describe('`row-versions` only: rows of the source that the way back had written since'),
  coverage: z
    .object({
      counted: z
        .record(z.string(), count())
        .describe("by kind, by the source's catalog under the snapshot of the proof"),
      compared: z.object({ tables: count(), partitions: count() }),
      notCompared: z.array(z.object({ kind: z.string(), count: count(), why: z.string() })),
    })
    .optional()
    .describe('what holds rows, and what of it was compared'),
  ddlSince: z.array(z.string()).optional().describe('DDL since the cutover; changes nothing of what was compared'),
  ddlChanges: count().optional().describe('how many, where `ddlSince` does not name all'),
  provenAt: when().optional(),
});

const cutover = z.object({
  switched: z.literal(true).optional(),
  timeline: z
    .array(z.object({ step: z.string(), ms: z.number() }))
    .describe('steps one after another, in milliseconds'),
  pauseMs: z.number().describe('for how long writes were stopped, in milliseconds'),
  switchedAt: when(),
  fenceLsn: lsn('on the source; no write of an application follows'),
  fencedRoles: z.array(z.string()),
  sequences: count(),
  traffic: z.array(z.object({ what: z.string(), from: z.string(), to: z.string() })),
  attempts: count(),
  finishedBy: z
    .literal('watchdog')
    .describe('the worker ended after the first switch; its watchdog finished the pause')
    .optional(),
  wayBackFrom: lsn('on the target, before the first write there: where the way back begins').optional(),
  neighbours: z
    .object({
      subscriptions: z.array(
        z.object({
          database: z.string(),
          name: z.string(),
          slot: z.string().nullable(),
          enabled: z.boolean(),
          position: lsn('on its publisher').optional(),
        }),
      ),
      cronJobs: z.array(z.object({ database: z.string(), id: z.string(), name: z.string().nullable() })),
    })
    .optional(),
  carried: z
    .object({
      largeObjects: z.object({ objects: count(), moved: count(), removed: count() }).optional(),
      unloggedTables: z.object({ tables: count(), rows: count() }).optional(),
    })
    .optional(),
  holder: z.string().optional(),
  targetSnapshots: z.record(z.string(), z.string()),
  sourceSnapshots: z.record(z.string(), z.string()).optional(),
});

const logGroup = z.object({
  name: z.string(),
  retentionDays: count().optional().describe('events expire after so many days; absent: never'),
  kmsKeyArn: z.string().optional().describe("absent: a key of CloudWatch's own"),
  storedBytes: z.number().describe('as CloudWatch last counted'),
  protected: z.boolean().describe('against deletion'),
});

const dailyCost = z.object({
  instance: z.string(),
  what: z.string().describe('class, deployment, storage'),
  amount: z.number().optional().describe('by the price list, on demand'),
  currency: z.string().optional(),
  unknown: z.string().optional().describe('why there is no amount'),
});

const removal = z.object({
  deletionProtection: z.boolean(),
  replicas: z.array(
    z.object({
      instance: z.string(),
      resourceId: z.string(),
      replacedBy: z.string(),
      protected: z.boolean(),
      sessions: count(),
    }),
  ),
  left: z.array(z.string()),
  logGroups: z.array(logGroup).optional().describe('of the source and of the replicas that go with it'),
  costs: z.array(dailyCost).optional().describe('of a day, until they are deleted'),
  logGroupsUnknown: z.string().optional().describe('why nobody could look for log groups'),
});

/**
 * What most migrations don't have, or not yet. A new part of the report goes here first: the page shows what it knows, and all
 * of it is in the JSON.
 */
const optionalParts = {
  source: source.optional(),
  target: target.optional(),
  slots: z.array(slot).optional(),
  position: position.optional(),
  settings: settings.optional(),
  verify: z.object(comparison).optional(),
  cutover: cutover.optional(),
  waivers: z.array(waiver).optional().describe('red lines of the board that somebody let pass'),
  proof: proof.optional(),
  removal: removal.optional(),
  seenOnSource: z
    .array(
      z.object({
        user: z.string(),
        database: z.string().optional(),
        application: z.string().describe('application_name'),
        address: z.string().optional(),
        sessions: count().describe('the most of them at one time'),
        left: z.boolean().describe('still there at the end of the watch'),
      }),
    )
    .optional()
    .describe('sessions of applications on the source, after the switch'),
  sourceStopped: z
    .object({ at: when(), startedAt: when().optional().describe('for the decommission') })
    .optional()
    .describe('the source was stopped after the proof, as the last lock'),
  slotsMoved: z
    .array(
      z.object({
        database: z.string(),
        slot: z.string(),
        plugin: z.string(),
        oldConfirmed: lsn('how far its reader had confirmed on the source'),
        fenceLsn: lsn('where the old slot ends'),
        newPosition: lsn('where the new slot begins, on the target'),
      }),
    )
    .optional()
    .describe('logical slots of others that were made anew on the target'),
  rollback: z
    .object({
      by: z.string(),
      reason: z.string(),
      requestedAt: when(),
      cutover: cutover.optional().describe('the pause in the other direction: its target is the old source'),
      proof: proof.optional(),
    })
    .optional(),
  lagHistory: z
    .array(z.object({ at: when(), bytes: z.number() }))
    .optional()
    .describe('how far the target was behind the source; oldest first, thinned out'),
  shortened: z.array(z.string()).optional().describe('what this copy leaves out since it was too long, by path'),
};

/** The report of a migration, checked. */
export const reportSchema = z.object({
  migration: z.string().regex(/^[a-z][a-z0-9-]{0,40}$/),
  status,
  plan,
  progress,
  checks: z.array(check),
  overridden: z.array(z.object({ code: name<CheckCode>('a block that the plan let pass'), reason: z.string() })),
  stays: z.array(z.object({ what: z.string(), name: z.string(), why: z.string() })),
  ...optionalParts,
});

/**
 * The schema that is published: JSON Schema 2020-12, tolerant of fields that it doesn't know. `closed`: refuses these, for tests.
 */
export function reportJsonSchema({ closed = false } = {}): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(reportSchema, {
    target: 'draft-2020-12',
    io: closed ? 'output' : 'input',
    override: ({ jsonSchema }) => {
      // The format says it; the pattern is a screen long.
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
    },
  });
  return {
    $schema,
    $id: 'urn:keyshift:report:1',
    title: 'Report of a Keyshift migration',
    description: 'What was done, when, approved by whom, proven how. Printed by: keyshift report <id> --json',
    ...schema,
  };
}

/** A type as the schema sees it: without readonly, and with optional fields that are absent rather than undefined. */
type Plain<T> = T extends readonly (infer Item)[]
  ? Plain<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Plain<Exclude<T[Key], undefined>> }
    : T;
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

type Schema = z.output<typeof reportSchema>;
type FieldOf<T, Key extends keyof T> = Plain<Exclude<T[Key], undefined>>;
/** Fields of which `Report` and the schema don't say the same, or that one of them doesn't have. */
type Drifted = {
  [Key in keyof Report | keyof Schema]: Key extends keyof Report & keyof Schema
    ? Same<FieldOf<Report, Key>, FieldOf<Schema, Key>> extends true
      ? never
      : Key
    : Key;
}[keyof Report | keyof Schema];
type None<T extends never> = T;
/** Does not compile, and names the fields, when `Report` and its schema are not the same. */
export type SchemaIsThatOfReport = None<Drifted>;
