import { AwsError } from '../errors';
import { paginate } from '../pagination';
import type { Answer } from '../query-protocol';
import type { RdsCall } from './request';

const MINUTE_MS = 60_000;
/** The period that is shown if the request names none. */
const DEFAULT_MINUTES = 60;

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeEvents.html */
export function describeEvents({ parameters, rds }: RdsCall): Answer {
  const sourceId = parameters.text('SourceIdentifier')?.toLowerCase();
  const sourceType = parameters.text('SourceType');
  if (sourceId !== undefined && sourceType === undefined) {
    throw new AwsError('InvalidParameterCombination', 'SourceType must be supplied when SourceIdentifier is supplied.');
  }
  const durationMs = (parameters.integer('Duration') ?? DEFAULT_MINUTES) * MINUTE_MS;
  const end = parameters.date('EndTime') ?? new Date();
  const start = parameters.date('StartTime') ?? new Date(end.getTime() - durationMs);
  const categories = parameters.texts('EventCategories');
  const wanted = rds.events
    .map((event, index) => ({ ...event, key: `${event.date} ${String(index).padStart(6, '0')}` }))
    .filter(({ date }) => new Date(date) >= start && new Date(date) <= end)
    .filter((event) => sourceType === undefined || event.sourceType === sourceType)
    .filter((event) => sourceId === undefined || event.sourceId === sourceId)
    .filter((event) => categories?.some((category) => event.categories.includes(category)) ?? true);
  const page = paginate(parameters, wanted, ({ key }) => key);
  return {
    Events: page.items.map((event) => ({
      SourceIdentifier: event.sourceId,
      SourceType: event.sourceType,
      Message: event.message,
      EventCategories: event.categories,
      Date: new Date(event.date),
      SourceArn: event.sourceArn,
    })),
    Marker: page.marker,
  };
}
