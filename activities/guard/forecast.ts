/** One look at the source; bytes, and milliseconds since 1970. */
export interface Sample {
  readonly at: number;
  readonly lagBytes: number;
  readonly retainedBytes: number;
  readonly safeWalBytes?: number | undefined;
  readonly freeBytes?: number | undefined;
}

export interface Forecast {
  readonly goneInMs?: number;
  readonly storageFullInMs?: number;
  readonly slotLostInMs?: number;
}

/** Below this a slope is noise, not a trend. */
const SHORTEST_MS = 20_000;
/** Samples that are kept: an hour, at one a minute. */
export const SAMPLES_MAX = 60;
const SAMPLE_EVERY_MS = 60_000;

/** Adds a look to those before it, so that the oldest is an hour old at most and the newest is always there. */
export function remember(samples: readonly Sample[], sample: Sample): Sample[] {
  const [last, beforeLast] = [samples.at(-1), samples.at(-2)];
  // The newest one is replaced as long as it lies within a minute of the one before.
  const replaces = last && beforeLast && last.at - beforeLast.at < SAMPLE_EVERY_MS;
  return [...(replaces ? samples.slice(0, -1) : samples), sample].slice(-SAMPLES_MAX);
}

/** Bytes per millisecond from the oldest to the newest sample that has the figure. */
function slope(samples: readonly Sample[], figure: (sample: Sample) => number | undefined): number | undefined {
  const known = samples.filter((sample) => figure(sample) !== undefined);
  const [first, last] = [known[0], known.at(-1)];
  if (!first || !last || last.at - first.at < SHORTEST_MS) return undefined;
  return ((figure(last) ?? 0) - (figure(first) ?? 0)) / (last.at - first.at);
}

const until = (bytes: number | undefined, bytesPerMs: number | undefined): number | undefined =>
  bytes === undefined || bytesPerMs === undefined || bytesPerMs <= 0 ? undefined : Math.round(bytes / bytesPerMs);

/**
 * When the lag is gone, when the storage is full and when PostgreSQL gives up a slot, if all goes on as it did in the
 * last hour. A figure that does not move in its direction has no end, and is left out.
 */
export function forecast(samples: readonly Sample[]): Forecast {
  const last = samples.at(-1);
  if (!last) return {};
  const lag = slope(samples, ({ lagBytes }) => lagBytes);
  const kept = slope(samples, ({ retainedBytes }) => retainedBytes);
  const free = slope(samples, ({ freeBytes }) => freeBytes);
  const goneInMs = until(last.lagBytes, lag === undefined ? undefined : -lag);
  // CloudWatch is a minute behind; what the slots keep is known at once. The sooner of the two counts.
  const full = [until(last.freeBytes, free === undefined ? undefined : -free), until(last.freeBytes, kept)].filter(
    (ms) => ms !== undefined,
  );
  const slotLostInMs = until(last.safeWalBytes, kept);
  return {
    ...(goneInMs === undefined ? {} : { goneInMs }),
    ...(full.length === 0 ? {} : { storageFullInMs: Math.min(...full) }),
    ...(slotLostInMs === undefined ? {} : { slotLostInMs }),
  };
}
