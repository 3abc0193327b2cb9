/** Before these, transaction ids have special meanings: the rows of a bootstrap, and frozen rows of old versions. */
const FIRST_NORMAL_XID = 3;
const EPOCH = 4_294_967_296;

/**
 * SQL: whether a row's version, `t.xmin`, was there at a snapshot. `xmin` has 32 bits, so it is completed with the epoch of
 * now; a version that is older than that was there in any case.
 * @param snapshot `pg_current_snapshot()`: `xmin:xmax:` and the ids in progress between them
 */
export function wasThere(snapshot: string): string {
  const match = /^(\d+):(\d+):((?:\d+(?:,\d+)*)?)$/.exec(snapshot);
  if (!match) throw new Error(`${snapshot} is no snapshot`);
  const [, xmin = '', xmax = '', inProgress = ''] = match;
  const raw = 't.xmin::text::int8';
  const next = '(SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8)';
  const guess = `(${next} / ${EPOCH} * ${EPOCH} + ${raw})`;
  const full = `(CASE WHEN ${guess} > ${next} THEN ${guess} - ${EPOCH} ELSE ${guess} END)`;
  const before = inProgress === '' ? '' : ` AND ${full} <> ALL ('{${inProgress}}'::int8[])`;
  return `(${raw} < ${FIRST_NORMAL_XID} OR ${full} < ${xmin} OR (${full} < ${xmax}${before}))`;
}
