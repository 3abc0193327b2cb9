import type { CutoverFacts } from '../../plan/report';
import type { MigrationRef } from '../dependencies';
import { cutoverTable } from '../postgres/fence-table';
import { queryRows, type Session } from '../postgres/session';

/** Row of a direction: what came by replication from the other side must not look like this side's. */
const idOf = ({ direction }: MigrationRef): number => (direction === 'back' ? 2 : 1);

/** Notes on the target what the pause did, right before the switch: an attempt that takes over finds it there. */
export async function writeCutover(target: Session, ref: MigrationRef, facts: CutoverFacts): Promise<void> {
  await target.query(
    `INSERT INTO ${cutoverTable(ref.id)} (id, facts) VALUES ($2, $1)
     ON CONFLICT (id) DO UPDATE SET facts = excluded.facts`,
    [JSON.stringify(facts), idOf(ref)],
  );
}

export async function readCutover(target: Session, ref: MigrationRef): Promise<CutoverFacts | undefined> {
  const [row] = await queryRows<{ facts: CutoverFacts }>(
    target,
    `SELECT facts FROM ${cutoverTable(ref.id)} WHERE id = $1`,
    [idOf(ref)],
  );
  return row?.facts;
}

export async function forgetCutover(target: Session, ref: MigrationRef): Promise<void> {
  await target.query(`DELETE FROM ${cutoverTable(ref.id)} WHERE id = $1`, [idOf(ref)]);
}
