import { z } from 'zod';
import { CHECK_CODES, CHECKS, type CheckCode } from './checks';
import { cutoverPlan } from './cutover-plan';
import { instanceId, nonEmpty } from './fields';
import { gatesPlan } from './gates-plan';
import { reportPlan } from './report-plan';
import { STRATEGIES } from './strategies';

const percent = (what: string) => z.number(`is not a number: give ${what} in percent`).min(0).max(100);

const checkCode = z.enum(CHECK_CODES as [CheckCode, ...CheckCode[]], {
  error: 'is not the code of a check: see docs/checks.md',
});

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
    /** Default: as the source. `false` for a source with Multi-AZ costs its standby. */
    multiAz: z.boolean().optional(),
    /** Default: the zone of the source, or RDS's choice in another subnet group. Without effect with Multi-AZ. */
    availabilityZone: z.string().min(1).optional(),
    /** Default: the type of the source. */
    storageType: z.enum(['gp2', 'gp3', 'io1', 'io2']).optional(),
    /** In GiB; a volume can't be smaller than that of the source. Default: the size of the source. */
    allocatedStorage: z.number().int().min(20).max(65_536).optional(),
    /** Only for io1, io2, and gp3 from 400 GiB on. Default: as the source. */
    iops: z.number().int().min(1_000).optional(),
    /** In MiB/s; only for gp3 from 400 GiB on. Default: as the source. */
    storageThroughput: z.number().int().min(125).optional(),
    /** Default: as the source. */
    deletionProtection: z.boolean().optional(),
    /** Members of DBInstance, as `aws rds describe-db-instances` spells them, in which the target may differ from the source. */
    mayDiffer: z.array(nonEmpty('a member of DBInstance')).default([]),
    replicas: z
      .strictObject({
        /** `false`: read replicas of the source are not rebuilt on the target. */
        rebuild: z.boolean().default(true),
        /** Identifier of each new replica by that of the old one; default: `<target>-<what follows the source's identifier>`. */
        names: z.record(z.string(), instanceId).default({}),
      })
      .prefault({}),
  }),
  strategy: z
    .enum(STRATEGIES, { error: `is not a strategy that this version has: ${STRATEGIES.join(', ')}` })
    .default('snapshot-cdc'),
  /** Default: every database but `template0`, `template1` and `rdsadmin`. One that accepts no connections stops the preflight. */
  databases: z.array(nonEmpty('a database name')).min(1).optional(),
  gates: gatesPlan,
  /** Codes of warnings of the preflight that are accepted. One that is not stops the migration before it begins. */
  acknowledge: z.array(checkCode).default([]),
  /** Blocks of the preflight that are overridden; the reason goes into the evidence. Some can never be. */
  override: z
    .array(
      z.strictObject({
        code: checkCode.refine((code) => CHECKS[code].overridable, 'can not be overridden: see docs/checks.md'),
        reason: nonEmpty('why the block does not matter here'),
      }),
    )
    .default([]),
  guard: z
    .strictObject({
      /** Ceiling on WAL that PostgreSQL keeps for our slots, in MiB (`max_slot_wal_keep_size`). */
      maxSlotWalKeepMiB: z.number().int().min(64).max(16_777_216).default(51_200),
      /** Free storage of the source, in percent of what is allocated, below which the guard warns. */
      warnFreeStoragePercent: percent('free storage').default(25),
      /** Below this, verify and warm-up pause until there is more again. */
      pauseFreeStoragePercent: percent('free storage').default(15),
      /** Below this, our slots are given up rather than the source: the migration fails and is undone. */
      giveUpFreeStoragePercent: percent('free storage').default(7),
    })
    .prefault({}),
  /** What becomes of tables without usable replica identity: `require` blocks; `set` sets one and restores it afterwards. */
  replicaIdentity: z.enum(['require', 'set']).default('require'),
  ddl: z
    .strictObject({
      /** `watch`: a change of the schema on the source parks the cutover; `block`: an event trigger refuses it. */
      mode: z.enum(['watch', 'block']).default('watch'),
      /** With `block`: a role whose members may still change the schema. */
      passRole: nonEmpty('a role name').optional(),
    })
    .prefault({}),
  /** What logical replication leaves behind (docs/how-it-works.md, "What replication leaves behind"). */
  carry: z
    .strictObject({
      /** `copy`: inside the pause; `refuse`: the preflight blocks where there are any. */
      largeObjects: z.enum(['refuse', 'copy']).default('refuse'),
      /** `copy`: contents inside the pause; `empty`: the target's stay empty, as after a crash. */
      unloggedTables: z.enum(['refuse', 'copy', 'empty']).default('refuse'),
      /** `refresh`: before the cutover gate; `keep`: as of the snapshot. */
      materializedViews: z.enum(['refresh', 'keep']).default('refresh'),
      /** `move`: the target takes the upstream slot over in the cutover; `refuse`: the preflight blocks. */
      subscriptions: z.enum(['refuse', 'move']).default('refuse'),
      /** `move`: jobs run on the target from the cutover on, and no more on the source. `refuse`: the preflight blocks. */
      cronJobs: z.enum(['refuse', 'move']).default('refuse'),
      /** Slots of others: `recreate`: made anew on the target, at the fence; `leave`: their readers stay with the source. */
      slots: z.enum(['leave', 'recreate']).default('leave'),
      /** Sequences of the target are set so many values ahead of the source's. */
      sequenceMargin: z.number().int().min(0).max(1_000_000_000).default(0),
    })
    .prefault({}),
  cutover: cutoverPlan,
  soak: z
    .strictObject({
      /** `replicate`: what is written on the target goes back to the source, and `rollback` loses nothing. `none`: no way back. */
      wayBack: z.enum(['replicate', 'none']).default('replicate'),
      /** The gate `decommission` opens no sooner than so many minutes after the switch. */
      minutes: z.number().int().min(0).max(525_600).default(0),
    })
    .prefault({}),
  verify: z
    .strictObject({
      /** `false` skips the comparison before the cutover; the proof after it is always made. */
      beforeCutover: z.boolean().default(true),
      /** Sessions that read each side at the same time. */
      workers: z.number().int().min(1).max(32).default(2),
      /** Share of the time in which the live comparison works on the source, in percent. */
      dutyPercent: z.number().int().min(1).max(100).default(50),
      /** Values of differing rows go into failures and the report. They are rows of your users: off by default. */
      showValues: z.boolean().default(false),
    })
    .prefault({}),
  keep: z
    .strictObject({
      /** A last snapshot of the source, taken when it is deleted. */
      finalSnapshot: z.boolean().default(true),
      /** The last snapshot is copied under the key of the target, and the unencrypted one deleted. */
      encryptFinalSnapshot: z.boolean().default(false),
      /** Leave the (fenced) source standing at the end. */
      source: z.boolean().default(false),
      /** `false`: the CloudWatch log groups of what is deleted go with it. RDS leaves them behind, with the texts of queries in them. */
      logGroups: z.boolean().default(true),
    })
    .prefault({}),
  /** Where the report is kept when the migration has completed; default: in Temporal only. */
  report: reportPlan.optional(),
});

export type { FenceEntry, FenceType, Hook, Pooler, TrafficSwitch, TrafficType } from './cutover-plan';

/** What an operator writes. */
export type PlanInput = z.input<typeof planSchema>;
/** The checked plan with all defaults filled in. */
export type Plan = z.output<typeof planSchema>;
