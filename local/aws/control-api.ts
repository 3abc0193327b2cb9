import { z } from 'zod';
import type { Context } from './context';
import { faultRequest } from './faults';
import { policyDocument } from './iam/policy';
import { listEverything } from './listing';
import { startInstanceOperation } from './rds/instance-jobs';
import { SERVING } from './rds/instance-states';
import { maintenanceAction } from './rds/model';
import type { Answer } from './query-protocol';
import type { InstanceSwitches } from './state';
import { whimsRequest } from './whims';

/** Where the region of an instance isn't given. */
const DEFAULT_REGION = 'eu-central-1';

/** Members of a description; `null` hides one. The whole set, so that `{}` takes them all away. */
const describedMembers = z.record(
  z.string(),
  z.json().transform((value) => (value === null ? undefined : value) as Answer),
);

const switchesRequest = z.strictObject({
  rdsTools: z.boolean().optional(),
  seedLsnOffset: z.int().optional(),
  storageLoadSeconds: z.number().min(0).optional(),
  oldLogs: z.int().min(0).max(100).optional(),
  groupLeftPending: z.boolean().optional(),
  /** By name; the whole set, so that `{}` takes them all away. */
  metrics: z.record(z.string(), z.number()).optional(),
  ballastBytes: z.int().min(0).optional(),
  describes: describedMembers.optional(),
});
const restartRequest = z.strictObject({ mode: z.enum(['fast', 'immediate']).default('fast') });
const quotasRequest = z.strictObject({
  instances: z.int().min(0).optional(),
  manualSnapshots: z.int().min(0).optional(),
  parameterGroups: z.int().min(0).optional(),
  allocatedStorage: z.int().min(0).optional(),
});

const iamRequest = z.strictObject({
  policy: policyDocument.nullable().optional(),
  enforce: z.boolean().optional(),
  caller: z.string().nullable().optional(),
});
const maintenanceRequest = z.strictObject({ actions: z.array(maintenanceAction) });

/** An answer of the control API. */
interface ControlReply {
  readonly status: number;
  readonly value: unknown;
}

/**
 * The stand-in's own API under `/_keyshift/`, for tests and the demo; clients of AWS don't see it.
 *
 *     GET    health
 *     GET    listing                              everything that exists, sorted
 *     GET|POST|DELETE faults[?operation=]         see faults.ts
 *     PATCH  whims                                what AWS may do and need not: see whims.ts
 *     GET|PATCH quotas                            {instances, manualSnapshots, parameterGroups, allocatedStorage}
 *     PATCH  instances/<id>[?region=]             {rdsTools, seedLsnOffset, storageLoadSeconds, oldLogs, groupLeftPending, metrics, ballastBytes, describes}; also before the instance exists
 *     PUT    instances/<id>/maintenance[?region=] {actions: [{action, description, autoAppliedAfter, forcedApply, currentApply}]}
 *     GET    proxies/<name>[?region=]             {led, waiting}: clients that have a target, and clients that wait for one
 *     PATCH  iam                                  {policy: an IAM policy or null for everything, enforce, caller: the access key whose calls are held against it, null for all}
 *     POST   instances/<id>/restart[?region=]     {mode: fast|immediate}; RDS shows nothing of it
 *     POST   instances/<id>/failover[?region=]    its host is lost: answers at once, the server is away for a while, with the status and the events of RDS.
 *                                                 A fault `stall` of the operation `failover` keeps it away
 */
export function controlApi(context: Context): (method: string, url: URL, body: string) => Promise<ControlReply> {
  const { faults, proxies, servers, store, whims } = context;

  return async (method, url, body) => {
    const [what, id = '', verb] = url.pathname.split('/').slice(2).map(decodeURIComponent);
    const region = url.searchParams.get('region') ?? DEFAULT_REGION;
    const input: unknown = body === '' ? {} : JSON.parse(body);
    try {
      switch (`${method} ${what}${id === '' ? '' : '/*'}${verb === undefined ? '' : `/${verb}`}`) {
        case 'GET health':
          return ok({ ok: true });
        case 'GET listing':
          return ok(listEverything(context));
        case 'GET faults':
          return ok(faults.list());
        case 'POST faults':
          return ok(faults.add(faultRequest.parse(input)));
        case 'DELETE faults':
          faults.clear(url.searchParams.get('operation') ?? undefined);
          return ok({ ok: true });
        case 'PATCH whims':
          return ok(whims.set(whimsRequest.parse(input)));
        case 'GET quotas':
          return ok(store.quotas);
        case 'PATCH quotas':
          Object.assign(store.quotas, quotasRequest.parse(input));
          store.changed();
          return ok(store.quotas);
        case 'PATCH instances/*': {
          const switches = Object.assign<InstanceSwitches, InstanceSwitches>(
            store.switches(region, id),
            switchesRequest.parse(input),
          );
          store.changed();
          const instance = store.region(region).rds.instances[id];
          if (instance && SERVING.includes(instance.status)) servers.of(instance).reload();
          return ok(switches);
        }
        case 'PUT instances/*/maintenance': {
          const instance = store.region(region).rds.instances[id];
          if (!instance) return { status: 404, value: { error: `no instance ${id} in ${region}` } };
          instance.maintenance = maintenanceRequest.parse(input).actions;
          store.changed();
          return ok(instance.maintenance);
        }
        case 'GET proxies/*': {
          const proxy = store.region(region).rds.proxies?.[id];
          if (!proxy) return { status: 404, value: { error: `no proxy ${id} in ${region}` } };
          return ok(proxies.loadOf(proxy));
        }
        case 'PATCH iam': {
          const { policy, enforce, caller } = iamRequest.parse(input);
          if (policy === null) delete store.iam.policy;
          else if (policy !== undefined) store.iam.policy = JSON.stringify(policy);
          if (enforce !== undefined) store.iam.enforce = enforce;
          if (caller !== undefined) store.iam.caller = caller ?? undefined;
          store.changed();
          return ok(store.iam);
        }
        case 'POST instances/*/restart': {
          const { mode } = restartRequest.parse(input);
          const instance = store.region(region).rds.instances[id];
          if (!instance) return { status: 404, value: { error: `no instance ${id} in ${region}` } };
          await servers.of(instance).restart(mode);
          return ok({ ok: true });
        }
        case 'POST instances/*/failover': {
          const instance = store.region(region).rds.instances[id];
          if (instance?.status !== 'available') {
            return {
              status: 409,
              value: { error: `instance ${id} in ${region} is ${instance?.status ?? 'not there'}` },
            };
          }
          instance.status = 'rebooting';
          startInstanceOperation(context, instance, { kind: 'failover' }, faults.stallOf('failover'));
          return ok({ ok: true });
        }
        default:
          return { status: 404, value: { error: `${method} ${url.pathname} isn't known` } };
      }
    } catch (error) {
      if (error instanceof z.ZodError) return { status: 400, value: { error: z.prettifyError(error) } };
      throw error;
    }
  };
}

function ok(value: unknown): ControlReply {
  return { status: 200, value };
}
