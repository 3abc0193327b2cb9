import type { CutoverFacts } from '../../plan/report';
import type { MigrationRef } from '../dependencies';
import { cutoverTable } from '../postgres/fence-table';
import { queryRows, type Session } from '../postgres/session';

/** Row of a direction: what came by replication from the other side must not look like this side's. */
const idOf = ({ direction }: MigrationRef): number => (direction === 'back' ? 2 : 1);

/** The facts as they are noted. */
export interface CutoverRecord extends CutoverFacts {
  /** The pause that they are of (pause-mark.ts). Absent in those that older workers wrote. */
  readonly pause?: string;
}

/** Notes on the target what the pause did, right before the switch: an attempt that takes over finds it there. */
export async function writeCutover(target: Session, ref: MigrationRef, facts: CutoverRecord): Promise<void> {
  await target.query(
    `INSERT INTO ${cutoverTable(ref.id)} (id, facts) VALUES ($2, $1)
     ON CONFLICT (id) DO UPDATE SET facts = excluded.facts`,
    [JSON.stringify(facts), idOf(ref)],
  );
}

export async function readCutover(target: Session, ref: MigrationRef): Promise<CutoverRecord | undefined> {
  const [row] = await queryRows<{ facts: CutoverRecord }>(
    target,
    `SELECT facts FROM ${cutoverTable(ref.id)} WHERE id = $1`,
    [idOf(ref)],
  );
  return row?.facts;
}

export async function forgetCutover(target: Session, ref: MigrationRef): Promise<void> {
  await target.query(`DELETE FROM ${cutoverTable(ref.id)} WHERE id = $1`, [idOf(ref)]);
}
