import type { Major } from '../../../local/postgres/binaries';
import { Random } from './random';

/** What happens to a source. */
export const SOURCE_EVENTS = [
  'write',
  'write without waiting for the disk',
  'subtransactions',
  'roll back',
  'prepare',
  'commit prepared',
  'roll back prepared',
  'open a huge transaction',
  'commit the huge transaction',
  'abort the huge transaction',
  'checkpoint',
  'switch WAL',
  'clean restart',
  'crash',
  'fail over',
] as const;
export type SourceEvent = (typeof SOURCE_EVENTS)[number];

/** What happens to a clone between its restore and the look at it. */
export const CLONE_EVENTS = [
  'own transactions',
  'own transactions rolled back',
  'checkpoint',
  'clean restart',
  'crash',
] as const;
export type CloneEvent = (typeof CLONE_EVENTS)[number];

export type LogState =
  'whole' | 'with the log of the source before it' | 'without "invalid record length"' | 'rotated' | 'gone';

/** A history of a source and its clone, and what of it can still be seen. Follows from its seed. */
export interface History {
  readonly seed: number;
  readonly major: Major;
  readonly beforeSlot: readonly SourceEvent[];
  readonly beforeSnapshot: readonly SourceEvent[];
  readonly writersDuringSnapshot: number;
  /** The last record of the image ends with its page. */
  readonly fullPage: boolean;
  /** The source is stopped while the image is taken. */
  readonly stoppedImage: boolean;
  readonly afterSnapshot: readonly SourceEvent[];
  /** The first recovery is killed so many milliseconds after its start. */
  readonly killRecoveryAfterMs: number | undefined;
  readonly clone: readonly CloneEvent[];
  readonly seedFunction: boolean;
  readonly log: LogState;
}

export const MAJORS: readonly Major[] = [14, 16, 18];

const RESTARTS: readonly SourceEvent[] = ['clean restart', 'crash', 'fail over'];
const QUIET: readonly SourceEvent[] = ['checkpoint', 'switch WAL', ...RESTARTS];

/** The history that follows from a seed. */
export function historyOf(seed: number): History {
  const random = new Random(seed);
  // Now and then nobody writes at all.
  const idle = random.percent(12);
  const events = idle ? QUIET : SOURCE_EVENTS;
  const beforeSnapshot = [
    ...random.some(events, 5),
    ...(random.percent(50) ? [random.pick(RESTARTS)] : []),
    ...random.some(events, 3),
  ];
  const stoppedImage = random.percent(8);
  return {
    seed,
    major: random.pick(MAJORS),
    beforeSlot: random.some(events, 2),
    beforeSnapshot,
    stoppedImage,
    writersDuringSnapshot: idle || stoppedImage || random.percent(30) ? 0 : 1 + random.below(3),
    fullPage: random.percent(10),
    afterSnapshot: random.some(events, 5),
    killRecoveryAfterMs: random.percent(15) ? 20 + random.below(150) : undefined,
    clone: [...(random.percent(60) ? ['own transactions' as const] : []), ...random.some(CLONE_EVENTS, 3)],
    ...seenOf(random),
  };
}

function seenOf(random: Random): Pick<History, 'seedFunction' | 'log'> {
  const log = random.pick<LogState>([
    'whole',
    'whole',
    'with the log of the source before it',
    'without "invalid record length"',
    'without "invalid record length"',
    'rotated',
    'gone',
  ]);
  return { seedFunction: random.percent(40), log };
}

/** In words, for whoever has to find out what went wrong. */
export function describeHistory(history: History): string {
  const list = (events: readonly string[]): string => events.join(', ') || 'nothing';
  return [
    `PostgreSQL ${history.major}`,
    `before the slot: ${list(history.beforeSlot)}`,
    `before the snapshot: ${list(history.beforeSnapshot)}`,
    `snapshot: ${history.stoppedImage ? 'of the stopped source' : `${history.writersDuringSnapshot} writers`}${history.fullPage ? ', at the end of a page' : ''}`,
    `after it: ${list(history.afterSnapshot)}`,
    `clone: ${history.killRecoveryAfterMs === undefined ? '' : `killed ${history.killRecoveryAfterMs} ms after its first start, `}${list(history.clone)}`,
    `seed function: ${history.seedFunction ? 'yes' : 'no'}, log: ${history.log}`,
  ].join('; ');
}
