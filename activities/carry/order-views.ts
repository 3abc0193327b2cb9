/** A relation that is made of others: a view, or a materialized view. */
export interface Uses {
  readonly view: number;
  readonly used: number;
}

/**
 * Orders views so that each comes after those that it is made of. Views that are made of each other (PostgreSQL lets
 * `CREATE OR REPLACE VIEW` close a circle) come last, in the order given: no order of theirs is right. Takes time in
 * proportion to views and edges.
 * @param views oids, in the order that decides where nothing else does
 * @param uses every edge once or more; edges to relations that are not in `views` are ignored
 */
export function orderViews(views: readonly number[], uses: readonly Uses[]): number[] {
  const users = new Map<number, Set<number>>(views.map((view) => [view, new Set()]));
  const missing = new Map(views.map((view) => [view, 0]));
  for (const { view, used } of uses) {
    const those = users.get(used);
    if (view === used || !those || !missing.has(view) || those.has(view)) continue;
    those.add(view);
    missing.set(view, (missing.get(view) ?? 0) + 1);
  }
  const ordered = views.filter((view) => missing.get(view) === 0);
  // The list grows while it is read: each view frees those that waited for it alone.
  for (const view of ordered) {
    for (const user of users.get(view) ?? []) {
      const left = (missing.get(user) ?? 0) - 1;
      missing.set(user, left);
      if (left === 0) ordered.push(user);
    }
  }
  const done = new Set(ordered);
  return [...ordered, ...views.filter((view) => !done.has(view))];
}
