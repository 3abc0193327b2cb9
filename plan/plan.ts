import { z } from 'zod';
import { STRATEGIES } from './strategies';

// The sandbox of Temporal workflows has no `Function` constructor that could be relied on.
z.config({ jitless: true });

/** RDS: 1-63 letters, digits, hyphens; first a letter; no hyphen at the end, no two in a row. */
const instanceId = z
  .string()
  .max(63)
  .regex(
    /^[A-Za-z](?!.*--)[A-Za-z0-9-]*(?<!-)$/,
    'is not a DB instance identifier: 1-63 letters, digits and hyphens, beginning with a letter, no hyphen at the end and no two in a row',
  )
  .transform((id) => id.toLowerCase());

const nonEmpty = (what: string) => z.string().min(1, `is empty: give ${what}`);

const milliseconds = (what: string, minimum: number, maximum: number) =>
  z
    .number(`is not a number: give ${what} in milliseconds`)
    .int()
    .min(minimum, `is below ${minimum} ms`)
    .max(maximum, `is above ${maximum} ms`);

const gate = z
  .strictObject({
    /** `false`: the gate opens and passes by itself. */
    approval: z.boolean().default(true),
  })
  .prefault({});

const traffic = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('ssm-parameter'),
    /** Its value contains the source's endpoint: alone, as host:port, in a URL, in a DSN or in JSON. */
    name: nonEmpty('the name of the SSM parameter'),
  }),
  z.strictObject({
    type: z.literal('secrets-manager'),
    /** Its JSON value contains the source's endpoint, in `host` and `port` as RDS writes them, or in a URL. */
    secret: nonEmpty('the name or ARN of the secret'),
  }),
]);
export type TrafficSwitch = z.output<typeof traffic>;

/** A plan: identifiers and references only, never a secret. Defaults make the smallest plan four lines. */
export const planSchema = z.strictObject({
  source: z.strictObject({
    /** DB instance identifier of the source. */
    instance: instanceId,
    /** Secrets Manager secret (name or ARN) of the master user: JSON with `username` and `password`. */
    secret: nonEmpty('the Secrets Manager secret of the master user'),
    /** AWS region; default: that of the worker. */
    region: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'is not an AWS region, for example eu-central-1')
      .optional(),
  }),
  target: z.strictObject({
    /** DB instance identifier that the new instance gets. */
    instance: instanceId,
    /** KMS key id, key ARN, alias name (`alias/...`) or alias ARN. */
    kmsKeyId: nonEmpty('the KMS key that the target is encrypted under'),
    /** Default: the class of the source. */
    instanceClass: z.string().startsWith('db.', 'is not an instance class, for example db.m6g.large').optional(),
    /** Default: the DB subnet group of the source. */
    subnetGroup: z.string().min(1).optional(),
  }),
  strategy: z
    .enum(STRATEGIES, { error: `is not a strategy that this version has: ${STRATEGIES.join(', ')}` })
    .default('snapshot-cdc'),
  /** Default: every database that accepts connections, `rdsadmin` and templates apart. */
  databases: z.array(nonEmpty('a database name')).min(1).optional(),
  gates: z.strictObject({ 'reboot-source': gate, cutover: gate, decommission: gate, 'undo-reboot': gate }).prefault({}),
  guard: z
    .strictObject({
      /** Ceiling on WAL that PostgreSQL keeps for our slots, in MiB (`max_slot_wal_keep_size`). */
      maxSlotWalKeepMiB: z.number().int().min(64).max(16_777_216).default(51_200),
    })
    .prefault({}),
  cutover: z
    .strictObject({
      /** How long writes may be stopped before the fence is taken down again, in milliseconds. */
      pauseBudgetMs: milliseconds('the longest pause of writes', 1_000, 600_000).default(30_000),
      /** The cutover gate opens when the lag is below this, in bytes. */
      maxLagBytes: z.number().int().min(1_024).default(16_777_216),
      /** Login roles that the fence leaves alone, besides RDS's own and ours. */
      spareRoles: z.array(nonEmpty('a role name')).default([]),
      /** What points applications at the target, in this order. Empty: whoever approves the cutover does it by hand. */
      traffic: z.array(traffic).default([]),
    })
    .prefault({}),
  verify: z
    .strictObject({
      /** `false` skips the comparison before the cutover; the proof after it is always made. */
      beforeCutover: z.boolean().default(true),
    })
    .prefault({}),
  keep: z
    .strictObject({
      /** A last snapshot of the source, taken when it is deleted. */
      finalSnapshot: z.boolean().default(true),
      /** Leave the (fenced) source standing at the end. */
      source: z.boolean().default(false),
    })
    .prefault({}),
});

/** What an operator writes. */
export type PlanInput = z.input<typeof planSchema>;
/** The checked plan with all defaults filled in. */
export type Plan = z.output<typeof planSchema>;
