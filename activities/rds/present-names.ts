import { setTimeout as sleep } from 'node:timers/promises';
import { type DBInstance, DescribeDBInstancesCommand } from '@aws-sdk/client-rds';
import { oldSourceName, type Renamed, renames } from '../../plan/instance-names';
import { type ResourceRole, TAG_ROLE } from '../../plan/names';
import { type Aws, awsOf, type Dependencies, type MigrationRef } from '../dependencies';
import { isOurs } from './ownership';

/** An instance that is being renamed may be nowhere for a moment. */
const NOWHERE_MS = 30_000;
const LOOK_AGAIN_MS = 500;

/** Who is called what, as RDS has it now. */
export interface Names {
  /** The source of the plan. */
  readonly source?: DBInstance;
  /** The target of the plan. */
  readonly target?: DBInstance;
  /** Others that have one of the three names. */
  readonly strangers: readonly DBInstance[];
  /** Absent: both are called as the plan says. */
  readonly renamed?: Renamed;
}

/**
 * Who has the names of the plan now. The target is known by the tags that it got when it was restored, which stay with an instance,
 * the source by its resource id; never by a name alone.
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html
 */
export async function readNames({ rds }: Aws, { id, plan, sourceResourceId }: MigrationRef): Promise<Names> {
  const [name, old] = [plan.source.instance, oldSourceName(plan)];
  const Filters = [{ Name: 'db-instance-id', Values: [name, plan.target.instance, old] }];
  const { DBInstances = [] } = await rds.send(new DescribeDBInstancesCommand({ Filters }));
  const target = DBInstances.find((one) => isOurTarget(one, id));
  const others = DBInstances.filter((one) => one !== target);
  const called = (wanted: string) => others.find(({ DBInstanceIdentifier }) => DBInstanceIdentifier === wanted);
  const source =
    sourceResourceId === undefined
      ? (called(name) ?? called(old))
      : others.find(({ DbiResourceId }) => DbiResourceId === sourceResourceId);
  const renamed =
    target?.DBInstanceIdentifier === name ? 'both' : source?.DBInstanceIdentifier === old ? 'source' : undefined;
  return {
    ...(source ? { source } : {}),
    ...(target ? { target } : {}),
    ...(renamed ? { renamed } : {}),
    strangers: others.filter((one) => one !== source),
  };
}

const TARGET_ROLE: ResourceRole = 'target';

const isOurTarget = ({ TagList }: DBInstance, migration: string): boolean =>
  isOurs(TagList, migration) && (TagList ?? []).some(({ Key, Value }) => Key === TAG_ROLE && Value === TARGET_ROLE);

/**
 * The same migration with what its instances are called now. Inside and around the pause nobody but RDS knows how far a renaming went,
 * so whoever may come there asks before anything else. Costs nothing where the plan renames nothing.
 */
export async function presentNames<Ref extends MigrationRef>(deps: Dependencies, ref: Ref): Promise<Ref> {
  if (!renames(ref.plan)) return ref;
  const aws = awsOf(deps, ref);
  let names = await readNames(aws, ref);
  for (const giveUpAt = Date.now() + NOWHERE_MS; !names.source && Date.now() < giveUpAt; await sleep(LOOK_AGAIN_MS)) {
    names = await readNames(aws, ref);
  }
  return withNames(ref, names);
}

/** The same migration with the names that were seen. */
export function withNames<Ref extends MigrationRef>(ref: Ref, { renamed }: Names): Ref {
  const { renamed: _before, ...rest } = ref;
  return (renamed ? { ...rest, renamed } : rest) as Ref;
}
