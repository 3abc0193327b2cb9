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
import { soak } from '../steps/soak';

/** Snapshot, encrypted copy, restore; replicate what was written meanwhile; switch. */
export async function snapshotCdc(migration: Migration): Promise<void> {
  const source = await inspect(migration);
  const parameters = await prepare(migration, source);
  const captured = await capture(migration, source);
  const guard = new Guard(migration, source.databases);
  guard.start();
  const cloned = await clone(migration, source);
  const attached = await attach(migration, source, captured, cloned);
  await follow(migration, source);
  const facts = await cutover(migration, source, guard);
  await migration.forwardOnly(async () => {
    await soak(migration, source, facts, attached);
    await finish(migration, source, parameters, facts);
  });
}
