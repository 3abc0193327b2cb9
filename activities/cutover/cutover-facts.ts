import type { CutoverFacts } from '../../plan/report';
import { cutoverTable } from '../postgres/fence-table';
import { queryRows, type Session } from '../postgres/session';

/** Notes on the target what the pause did, right before the switch: an attempt that takes over finds it there. */
export async function writeCutover(target: Session, migration: string, facts: CutoverFacts): Promise<void> {
  await target.query(
    `INSERT INTO ${cutoverTable(migration)} (id, facts) VALUES (1, $1)
     ON CONFLICT (id) DO UPDATE SET facts = excluded.facts`,
    [JSON.stringify(facts)],
  );
}

export async function readCutover(target: Session, migration: string): Promise<CutoverFacts | undefined> {
  const [row] = await queryRows<{ facts: CutoverFacts }>(
    target,
    `SELECT facts FROM ${cutoverTable(migration)} WHERE id = 1`,
  );
  return row?.facts;
}

export async function forgetCutover(target: Session, migration: string): Promise<void> {
  await target.query(`DELETE FROM ${cutoverTable(migration)}`);
}
