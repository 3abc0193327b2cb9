import { CHECKS, type CheckCode } from './checks';
import { duration } from './format';

/** How a line of the board may be answered when it is red. */
interface BoardDefinition {
  /** Whether a person may let it pass by code. Where the pause could not come to its end, or rows would be lost: never. */
  readonly waivable: boolean;
}

const waivable = { waivable: true } as const;
const never = { waivable: false } as const;

/** Every line of the board that is its own, in its order, which is that of docs/board.md. Checks that are made again have their own codes. */
export const BOARD = {
  lag: never,
  apply: never,
  'last-verify': waivable,
  drift: never,
  'new-tables': waivable,
  'stale-views': waivable,
  passwords: waivable,
  'long-transactions': waivable,
  'prepared-transactions': never,
  'warm-up': waivable,
  storage: waivable,
  replicas: waivable,
  settings: waivable,
  parameters: never,
  fence: never,
  'fence-roles': never,
  sessions: waivable,
  strays: never,
  carry: never,
  traffic: never,
  'dns-ttl': waivable,
  rename: waivable,
  'way-back': waivable,
  'pause-queue': never,
  'given-up': waivable,
  forecast: waivable,
  checks: waivable,
  'not-looked': never,
} as const satisfies Record<string, BoardDefinition>;
export type BoardCode = keyof typeof BOARD | CheckCode;
export const BOARD_CODES = Object.keys(BOARD) as (keyof typeof BOARD)[];

/** One line of the go / no-go board; `code` is stable and has its paragraph in docs/board.md or docs/checks.md. */
export interface BoardLine {
  readonly code: BoardCode;
  /** A reason not to cut over now. */
  readonly red: boolean;
  readonly text: string;
  /** Red, and nobody can waive it: it has to be fixed. */
  readonly final?: true;
}

/** What a step of the pause will take, by what was measured or rehearsed. */
export interface ForecastStep {
  readonly step: string;
  readonly ms: number;
}

/** How long writes will be stopped; an estimate by what can be measured without stopping anything. */
export interface PauseForecast {
  readonly ms: number;
  readonly steps: readonly ForecastStep[];
}

/** When the plan lets the cutover begin. */
export interface WindowState {
  readonly open: boolean;
  /** Absent while it is open. ISO 8601. */
  readonly opensAt?: string;
  /** When the open one closes, or the next one will. ISO 8601. */
  readonly closesAt: string;
}

/** The board as the progress shows it. */
export interface Board {
  /** ISO 8601, clock of the worker that looked. */
  readonly at: string;
  readonly lines: readonly BoardLine[];
  readonly forecast?: PauseForecast;
  /** Absent: the plan names none. */
  readonly window?: WindowState;
}

/** A red line that a person lets pass. Holds until the line is green again. */
export interface Waiver {
  readonly code: BoardCode;
  /** The line as it was then; one for each red line of the code. */
  readonly text: string;
  readonly by: string;
  readonly reason: string;
  /** ISO 8601, workflow time. */
  readonly at: string;
}

export const green = (code: BoardCode, ...texts: readonly string[]): BoardLine[] =>
  texts.map((text) => ({ code, red: false, text }));

/** Red lines. One of a check is waivable where the plan could have overridden or acknowledged it. */
export const red = (code: BoardCode, ...texts: readonly string[]): BoardLine[] =>
  texts.map((text) => ({ code, red: true, text, ...(isWaivable(code) ? {} : { final: true }) }));

/** Whether a red line of that code may be waived at all. */
export const isWaivable = (code: BoardCode): boolean =>
  code in BOARD ? BOARD[code as keyof typeof BOARD].waivable : CHECKS[code as CheckCode].overridable;

/** So many lines of one code and colour are on the board, each with so many characters. */
const MOST_LINES = 50;
const MOST_CHARACTERS = 2_000;

/** The lines with room for all codes: of very many of one code the first, and how many more there are. */
export function fitLines(lines: readonly BoardLine[]): BoardLine[] {
  const seen = new Map<string, { line: BoardLine; count: number }>();
  const kept = lines.filter((line) => {
    const kind = JSON.stringify([line.code, line.red, line.final ?? false]);
    const { count } = seen.get(kind) ?? { count: 0 };
    seen.set(kind, { line, count: count + 1 });
    return count < MOST_LINES;
  });
  const more = [...seen.values()].flatMap(({ line, count }) =>
    count > MOST_LINES ? [{ ...line, text: `and ${count - MOST_LINES} more like these` }] : [],
  );
  return [...kept.map((line) => ({ ...line, text: fitText(line.text) })), ...more];
}

/** Texts for people, as many and as long as there is room for on a board. */
export function fitTexts(texts: readonly string[]): string[] {
  const kept = texts.slice(0, MOST_LINES).map(fitText);
  return texts.length > MOST_LINES ? [...kept, `and ${texts.length - MOST_LINES} more`] : kept;
}

// Not in the middle of a surrogate pair.
const fitText = (text: string): string =>
  text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS).replace(/[\ud800-\udbff]$/, '')}...`;

export const redLines = (lines: readonly BoardLine[]): BoardLine[] => lines.filter((line) => line.red);

/** What keeps the gate closed: red lines that nobody has waived. */
export const blockingLines = (lines: readonly BoardLine[], waived: ReadonlySet<string>): BoardLine[] =>
  redLines(lines).filter(({ code, final }) => final === true || !waived.has(code));

/** As one line of text, as notices have it. */
export const lineText = ({ code, text }: BoardLine): string => `${code}: ${text}`;

/** `forecast of the pause: about 45 ms (drain 12 ms, ...)`; what takes less than a tenth of a millisecond is left out. */
export function forecastText({ ms, steps }: PauseForecast): string {
  const shown = steps.filter((step) => step.ms >= 0.1).map((step) => `${step.step} ${short(step.ms)}`);
  return `forecast of the pause: about ${short(ms)} (${shown.join(', ')})`;
}

const short = (ms: number): string => (ms < 10 ? `${ms.toFixed(1)} ms` : duration(ms));

/** When the cutover may begin, as a line for people. */
export function windowText({ open, opensAt, closesAt }: WindowState): string {
  const minute = (iso: string): string => `${iso.slice(0, 16).replace('T', ' ')}Z`;
  return open
    ? `window: open until ${minute(closesAt)}`
    : `window: closed; the pause begins in the next one, ${minute(opensAt ?? '')} to ${minute(closesAt)}`;
}
