import { type DBInstance, DescribeDBSnapshotsCommand, ListTagsForResourceCommand } from '@aws-sdk/client-rds';
import type { Check } from '../../../plan/checks';
import { TAG_MIGRATION } from '../../../plan/names';
import type { Aws } from '../../dependencies';
import {
  describeOther,
  type OtherMigration,
  otherMigrations,
  readTraces,
  type Trace,
} from '../../postgres/other-migrations';
import { findGroup } from '../../rds/prepare-parameters';
import { parameterGroupOf } from '../../rds/find-instance';
import { databaseCheck } from '../sql-check';

const code = 'other-migration';

/** A block for each other migration: where it can be looked at, never a command that takes something away from it. */
const blockFor =
  (instance: string) =>
  (other: OtherMigration): Check => ({
    code,
    level: 'block',
    message: `${describeOther(other, instance)}.`,
    remedy: `keyshift status ${other.id}\n# it runs: let it come to its end, or send abort to it\n# its workflow is closed, or not known: remove what it left behind, as docs/checks.md says under ${code}`,
    evidence: { migration: other.id, found: other.traces },
  });

/** Another migration in the server: two of one source drop each other's slots and lock each other out. */
export const otherMigrationInServer = databaseCheck<Trace>(
  code,
  (session) => readTraces(session),
  (traces, { migration, plan }) => {
    const others = otherMigrations(traces, migration);
    if (others.length > 0) return others.map(blockFor(plan.source.instance));
    return { code, level: 'ok', message: 'no other migration has left a trace in the server' };
  },
  { essential: true },
);

/**
 * Another migration in AWS: the source has its parameter group, or there is its snapshot of the source. The group of an earlier migration
 * whose target the source is stays with it, and says nothing.
 */
export async function otherMigrationInAws(aws: Aws, own: string, source: DBInstance): Promise<Check[]> {
  const instance = source.DBInstanceIdentifier ?? '';
  const earlier = migrationIn(source.TagList);
  const traces = new Map<string, string[]>();
  const note = (id: string | undefined, trace: string) => {
    if (id !== undefined && id !== own && id !== earlier) traces.set(id, [...(traces.get(id) ?? []), trace]);
  };
  const { name } = parameterGroupOf(source);
  if (name.startsWith('keyshift-')) {
    const ResourceName = (await findGroup(aws, name))?.DBParameterGroupArn;
    if (ResourceName !== undefined) {
      const { TagList } = await aws.rds.send(new ListTagsForResourceCommand({ ResourceName }));
      note(migrationIn(TagList), `parameter group ${name}`);
    }
  }
  const input = { DBInstanceIdentifier: instance, SnapshotType: 'manual' };
  const { DBSnapshots } = await aws.rds.send(new DescribeDBSnapshotsCommand(input));
  for (const { DBSnapshotIdentifier = '', TagList } of DBSnapshots ?? []) {
    const role = TagList?.find(({ Key }) => Key === 'keyshift:role')?.Value;
    // A final snapshot is meant to stay.
    if (role === 'snapshot') note(migrationIn(TagList), `DB snapshot ${DBSnapshotIdentifier}`);
  }
  return [...traces].map(([id, list]) => blockFor(instance)({ id, traces: list }));
}

const migrationIn = (tags: DBInstance['TagList']): string | undefined =>
  tags?.find(({ Key }) => Key === TAG_MIGRATION)?.Value;
