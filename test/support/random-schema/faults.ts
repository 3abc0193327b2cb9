import type { ActivityLab } from '../activity-lab';
import type { Draft } from './draft';
import { literal } from './sql';
import type { World } from './world';

/** When something is changed by hand: before the subscriptions are enabled, after some of their changes were applied, or right after the switch. */
export type Moment = 'subscribed' | 'applied' | 'switched';

/** What a fault of the product would leave in the world, made by hand behind its back. */
export interface Fault {
  readonly name: string;
  /** Productions that the first database needs for it. */
  readonly needs: readonly string[];
  plant(place: Place, moment: Moment): Promise<void>;
  /** What the comparison has to say, so that the fault counts as found. */
  found(draft: Draft): string;
}

interface Place {
  readonly lab: ActivityLab;
  readonly target: string;
  readonly draft: Draft;
}

const run = ({ lab, target, draft }: Place, sql: string): Promise<object[]> => lab.sql(target, sql, draft.database);
const mark = ({ marks, database }: Draft, name: string): string => {
  const found = marks.get(name);
  if (found === undefined) throw new Error(`nothing is marked as ${name} in ${database}`);
  return found;
};

/** A table that writers insert into; nothing of it is logged. */
function written({ tables, marks, database }: Draft): string {
  const found = tables.find(
    ({ kind, label, referenced, writes }) =>
      kind === 'table' && !referenced && !writes.truncate && label !== marks.get('logged'),
  );
  if (!found) throw new Error(`${database} has no table for this fault`);
  return found.label;
}

const SKIPPED = 'keyshift_fault_skip';

export const FAULTS: readonly Fault[] = [
  {
    name: 'the changes of one table are not applied',
    needs: ['table: one more'],
    plant: async (place, moment) => {
      const table = written(place.draft);
      if (moment === 'subscribed') {
        await run(
          place,
          `CREATE FUNCTION public.${SKIPPED}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
        );
        await run(
          place,
          `CREATE TRIGGER ${SKIPPED} BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION public.${SKIPPED}()`,
        );
        await run(place, `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${SKIPPED}`);
      } else if (moment === 'applied') {
        await run(place, `DROP FUNCTION public.${SKIPPED}() CASCADE`);
      }
    },
    found: (draft) => `table ${written(draft)}: `,
  },
  {
    name: 'a row comes twice',
    needs: ['trigger: writes to a table without a key'],
    plant: async (place, moment) => {
      const table = mark(place.draft, 'log');
      if (moment === 'switched') await run(place, `INSERT INTO ${table} SELECT * FROM ${table} LIMIT 1`);
    },
    found: (draft) => `table ${mark(draft, 'log')}: `,
  },
  {
    name: 'a sequence is not carried',
    needs: ['sequence: that counts down'],
    plant: async (place, moment) => {
      if (moment === 'switched')
        await run(place, `SELECT setval(${literal(mark(place.draft, 'sequence'))}, -1, false)`);
    },
    found: (draft) => `sequence ${mark(draft, 'sequence')} gives -1 next`,
  },
  {
    name: 'a row is lost',
    needs: ['materialized view: with an index'],
    plant: async (place, moment) => {
      const table = mark(place.draft, 'still');
      if (moment === 'switched') await run(place, `DELETE FROM ${table} WHERE ctid = (SELECT max(ctid) FROM ${table})`);
    },
    found: (draft) => `table ${mark(draft, 'still')}: `,
  },
  {
    name: 'a default is lost',
    needs: ['table: with a column that was added with a default'],
    plant: async (place, moment) => {
      const { draft } = place;
      if (moment === 'switched')
        await run(place, `ALTER TABLE ${mark(draft, 'defaulted')} ALTER COLUMN ${mark(draft, 'default')} DROP DEFAULT`);
    },
    found: () => 'catalog pg_attrdef, gone or changed: ',
  },
];

/** Plants faults in what the product has made so far. */
export async function plantFaults(
  lab: ActivityLab,
  { databases }: World,
  faults: readonly Fault[],
  target: string,
  moment: Moment,
): Promise<void> {
  const [draft] = databases;
  if (!draft) return;
  for (const fault of faults) await fault.plant({ lab, target, draft }, moment);
}
