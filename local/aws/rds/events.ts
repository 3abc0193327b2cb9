import type { Store } from '../state';
import { arnOf } from './arns';
import type { EventRecord } from './model';

const ARN_KINDS = { 'db-instance': 'db', 'db-snapshot': 'snapshot', 'db-parameter-group': 'pg' } as const;
/** AWS keeps events for 14 days; this bounds the state as well. */
const KEPT = 2000;

/** Notes an event, with the messages of https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html. */
export function noteEvent(
  store: Store,
  region: string,
  sourceType: EventRecord['sourceType'],
  sourceId: string,
  category: string,
  message: string,
): void {
  const { rds } = store.region(region);
  const sourceArn = arnOf(ARN_KINDS[sourceType], region, sourceId);
  rds.events.push({ sourceId, sourceType, sourceArn, message, categories: [category], date: new Date().toISOString() });
  rds.events = rds.events.slice(-KEPT);
  store.changed();
}
