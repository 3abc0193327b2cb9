import { Guard } from '../guard';
import type { Migration } from '../migration';
import { attach } from '../steps/attach';
import { capture } from '../steps/capture';
import { clone } from '../steps/clone';
import { cutover } from '../steps/cutover';
import { finish } from '../steps/finish';
import { follow } from '../steps/follow';
import { inspect } from '../steps/inspect';
import { prepare } from '../steps/prepare';
import { openWayBack } from '../steps/way-back';
import { rollBack } from '../steps/rollback';
import { soak } from '../steps/soak';

/** Snapshot, encrypted copy, restore; replicate what was written meanwhile; switch; and go back, if somebody asks for it. */
export async function snapshotCdc(migration: Migration): Promise<void> {
  const source = await inspect(migration);
  const parameters = await prepare(migration, source);
  const captured = await capture(migration, source);
  const guard = new Guard(migration, source.databases);
  guard.start();
  const cloned = await clone(migration, source);
  const attached = await attach(migration, source, captured, cloned);
  await follow(migration, source);
  const { facts, fences } = await cutover(migration, source, guard);
  await migration.forwardOnly(async () => {
    const guardBack = await openWayBack(migration, source, facts);
    for (;;) {
      const request = await migration.unlessRollback(async () => {
        await soak(migration, source, facts, attached);
        await finish(migration, source, parameters, facts, guardBack);
      });
      if (!request || (await rollBack(migration, source, fences, guardBack, request))) return;
    }
  });
}
