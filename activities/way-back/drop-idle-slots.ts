import type { Dependencies } from '../dependencies';
import { ourSlots } from '../postgres/create-slots';
import { accessIfThere, withSession } from '../postgres/session';
import { type DropDownstreamInput, dropDownstreamSlots } from './downstream-slots';

/** Drops what the way back and the readers of the source keep on the target while nothing comes of it: a pause was given up, or the way back was gone. */
export async function dropIdleSlots(deps: Dependencies, input: DropDownstreamInput): Promise<void> {
  const access = await accessIfThere(deps, input, 'target');
  if (!access) return;
  const ours = await ourSlots(access, input);
  await withSession(access, { step: 'way-back', database: 'postgres' }, (session) =>
    session.query(
      `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
        WHERE slot_name = ANY ($1::text[]) AND NOT active`,
      [ours],
    ),
  );
  if (input.plan.carry.slots === 'recreate') await dropDownstreamSlots(deps, input);
}
