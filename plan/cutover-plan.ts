import { z } from 'zod';
import { instanceId, milliseconds, nonEmpty } from './fields';

/** Plain HTTP stays on this machine. */
function isSafe(text: string): boolean {
  // What is no URL is another mistake.
  if (!URL.canParse(text)) return true;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname));
}

/** A plan holds no secrets, and a URL is shown. */
function hasNoLogin(text: string): boolean {
  if (!URL.canParse(text)) return true;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}

/** The user's own HTTPS endpoint. Requests are signed (docs/webhooks.md). */
const endpointOfUser = {
  url: z
    .url({ error: 'is not a URL' })
    .refine(isSafe, 'has to begin with https://')
    .refine(hasNoLogin, 'holds a user or a password'),
  /** Secrets Manager secret (name or ARN) whose value is the key of the signature; tagged `keyshift:use=webhook`. */
  secret: nonEmpty('the secret that signs the request'),
  /** How long one request may take. */
  timeoutMs: milliseconds('the longest wait for an answer', 100, 600_000).default(5_000),
};

const fence = z.discriminatedUnion('type', [
  /** Roles lose LOGIN, databases become read-only, sessions end. Always made, also where another fence is named. */
  z.strictObject({ type: z.literal('sql') }),
  /** PAUSE on each of `cutover.poolers`: clients wait instead of failing. */
  z.strictObject({
    type: z.literal('pgbouncer'),
    /** Entries of PgBouncer's [databases]; default: all of them. */
    databases: z.array(nonEmpty('an entry of [databases]')).min(1).optional(),
    /** How long PAUSE may wait for the transactions that are open. */
    waitMs: milliseconds('how long PAUSE may wait', 100, 60_000).default(2_000),
  }),
  /** The source's security groups are swapped for one that lets applications in no more. */
  z.strictObject({
    type: z.literal('security-group'),
    /** The group that the source has while it is fenced; it must let the worker and the target in. */
    group: z.string().regex(/^sg-[0-9a-f]+$/, 'is not the id of a security group (sg-...)'),
    /** The groups that it replaces; default: all of the source. */
    replaces: z
      .array(z.string().regex(/^sg-[0-9a-f]+$/))
      .min(1)
      .optional(),
  }),
  /** The source is taken out of the proxy's target group; clients of the proxy wait. */
  z.strictObject({ type: z.literal('rds-proxy'), proxy: nonEmpty('the name of the RDS Proxy') }),
  /** An endpoint of yours stops the writes, and lets them go on. */
  z.strictObject({ type: z.literal('hook'), ...endpointOfUser }),
  /** The source is stopped after the proof, as the last lock, until the decommission. Only without a way back: that needs a source that runs. */
  z.strictObject({ type: z.literal('stop-instance') }),
]);
export type FenceEntry = z.output<typeof fence>;
export type FenceType = FenceEntry['type'];

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
  z.strictObject({
    type: z.literal('route53'),
    hostedZoneId: z.string().regex(/^[A-Z0-9]{1,32}$/, 'is not the id of a hosted zone, for example Z0123456789ABC'),
    /** Name of the CNAME record that applications connect to. */
    name: nonEmpty('the name of the record'),
    /** Which one of several weighted records of that name. */
    setIdentifier: nonEmpty('the set identifier of the record').optional(),
    /** The board is red above this, in seconds: applications would go on to the old address for so long. */
    maxTtlSeconds: z.number().int().min(1).max(86_400).default(60),
  }),
  /** The source gets another identifier, the target takes that of the source: the endpoint stays. Both are rebooted by RDS. */
  z.strictObject({
    type: z.literal('rds-rename'),
    /** What the source is called afterwards; default: `<source>-old`. */
    sourceBecomes: instanceId.optional(),
  }),
  z.strictObject({
    type: z.literal('pgbouncer'),
    /** Entries of [databases] that name the source; default: all that do. */
    databases: z.array(nonEmpty('an entry of [databases]')).min(1).optional(),
    /**
     * The file with the entries, as the worker can write it, or several: one of each PgBouncer. Left out: a switch before this one has changed what the host of the entries
     * means (DNS), and this one lets PgBouncer connect anew.
     */
    file: z
      .union([
        nonEmpty('the path of the file with [databases]'),
        z.array(nonEmpty('the path of a file with [databases]')).min(1),
      ])
      .optional(),
  }),
  z.strictObject({ type: z.literal('rds-proxy'), proxy: nonEmpty('the name of the RDS Proxy') }),
  /** A feature flag of yours: one signed request with an idempotency key. */
  z.strictObject({ type: z.literal('webhook'), ...endpointOfUser }),
  /** A person moves the traffic, and says so with the signal `switched`. */
  z.strictObject({ type: z.literal('manual') }),
]);
export type TrafficSwitch = z.output<typeof traffic>;
export type TrafficType = TrafficSwitch['type'];

const pooler = z.strictObject({
  /** Where PgBouncer listens. */
  host: nonEmpty('the host of PgBouncer'),
  port: z.number().int().min(1).max(65_535).default(6_432),
  /** Secrets Manager secret of a user of `admin_users`: JSON with `username` and `password`; tagged `keyshift:use=pooler`. */
  secret: nonEmpty('the secret of an admin user of PgBouncer'),
  /** `verify`: TLS, with a certificate that this machine trusts; `require`: TLS whatever the certificate. Without `verify`: SCRAM only. */
  tls: z.enum(['verify', 'require', 'off']).default('verify'),
});
export type Pooler = z.output<typeof pooler>;

const hook = z.strictObject(endpointOfUser);
export type Hook = z.output<typeof hook>;

type Refuse = (path: (string | number)[], message: string) => void;

/** After a renaming the endpoint leads to the target: nothing that names it has to be rewritten, and nothing may be. */
function refuseBehindRename(fences: readonly FenceEntry[], switches: readonly TrafficSwitch[], refuse: Refuse): void {
  const proxy = fences.findIndex(({ type }) => type === 'rds-proxy');
  if (proxy >= 0) {
    refuse(['fence', proxy], 'is not possible with rds-rename: an RDS Proxy knows its instances by their names');
  }
  const first = switches.findIndex(({ type }) => type === 'rds-rename');
  for (const [index, entry] of switches.entries()) {
    const path = ['traffic', index];
    if (entry.type === 'rds-rename') {
      if (index !== first) refuse(path, 'rds-rename is named twice');
    } else if (entry.type === 'rds-proxy') {
      refuse(path, 'is not possible with rds-rename: an RDS Proxy knows its instances by their names');
    } else if (entry.type === 'pgbouncer' && entry.file !== undefined) {
      refuse([...path, 'file'], 'is not possible with rds-rename: the entries keep their host. Leave file out');
    } else if (entry.type === 'ssm-parameter' || entry.type === 'secrets-manager' || entry.type === 'route53') {
      refuse(path, `is not possible with rds-rename: the endpoint stays, and ${entry.type} would lead away from it`);
    }
  }
}

/** What can't be meant together in `cutover`. */
function refuseContradictions(
  { fence: fences, traffic: switches, poolers }: { fence: FenceEntry[]; traffic: TrafficSwitch[]; poolers: Pooler[] },
  context: z.RefinementCtx,
): void {
  const refuse: Refuse = (path, message) => context.addIssue({ code: 'custom', path, message, input: undefined });
  for (const [name, entries] of [
    ['fence', fences],
    ['traffic', switches],
  ] as const) {
    const index = entries.findIndex(({ type }) => type === 'pgbouncer');
    if (index >= 0 && poolers.length === 0) refuse([name, index], 'needs cutover.poolers: say where PgBouncer listens');
  }
  if (poolers.length > 0 && ![...fences, ...switches].some(({ type }) => type === 'pgbouncer')) {
    refuse(['poolers'], 'is used by nothing: add {"type": "pgbouncer"} to cutover.fence or cutover.traffic');
  }
  const seen = new Set<string>();
  for (const [index, { type }] of fences.entries()) {
    if (seen.has(type) && type !== 'hook') refuse(['fence', index], `${type} is named twice`);
    seen.add(type);
  }
  for (const [index, entry] of fences.entries()) {
    if (entry.type !== 'rds-proxy') continue;
    if (switches.some((one) => one.type === 'rds-proxy' && one.proxy === entry.proxy)) continue;
    refuse(
      ['fence', index],
      `needs the switch of that name in cutover.traffic: RDS Proxy ${entry.proxy} would have no target after the pause`,
    );
  }
  const rename = switches.findIndex(({ type }) => type === 'rds-rename');
  if (rename >= 0) refuseBehindRename(fences, switches, refuse);
  if (rename > 0) refuse(['traffic', rename], 'has to be the first: the endpoints are others behind it');
}

/** `cutover` of a plan: how writes are stopped, and how traffic moves. */
export const cutoverPlan = z
  .strictObject({
    /** How long writes may be stopped before the fence is taken down again, in milliseconds. */
    pauseBudgetMs: milliseconds('the longest pause of writes', 1_000, 600_000).default(30_000),
    /** The cutover gate opens when the lag is below this, in bytes. */
    maxLagBytes: z.number().int().min(1_024).default(16_777_216),
    /** Login roles that the fence leaves alone, besides RDS's own and ours. */
    spareRoles: z.array(nonEmpty('a role name')).default([]),
    /** PgBouncers in front of the database, for the fence and the switch of that name. All of them are paused together. */
    poolers: z.array(pooler).default([]),
    /** What stops writes, in this order. The SQL fence is made in any case, behind those that are named before it. */
    fence: z
      .array(fence)
      .min(1, 'is empty: name "sql", or leave it out')
      .default([{ type: 'sql' }]),
    /** What points applications at the target, in this order. Empty: whoever approves the cutover does it by hand. */
    traffic: z.array(traffic).default([]),
    /** How long the connections of both sides are watched after the switch, in seconds. */
    watchSeconds: z.number().int().min(0).max(86_400).default(10),
    /** Endpoints of yours that are called before the pause (each has to agree) and after the switch. */
    hooks: z.strictObject({ before: z.array(hook).default([]), after: z.array(hook).default([]) }).prefault({}),
  })
  .superRefine(refuseContradictions)
  .prefault({});
