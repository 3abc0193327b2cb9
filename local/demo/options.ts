import { Command, InvalidArgumentError, Option } from 'commander';

/** The flags of `npm run demo`. */
export interface DemoOptions {
  /** Stay up afterwards. */
  readonly keep: boolean;
  /** Approve nothing; the user does. */
  readonly hold: boolean;
  readonly rows: number;
  readonly rate: number;
  /** The verdict as JSON, and nothing else, on stdout. */
  readonly json: boolean;
  /** How often the worker is killed. */
  readonly chaos: number;
  readonly seed: number;
  /** PgBouncer before the database: the application connects to that only. */
  readonly pooler: boolean;
  /** Let the first pause overrun its budget. */
  readonly abortInPause: boolean;
  /** Go back to the old source some time after the cutover. */
  readonly rollback: boolean;
  /** Seed of a world in which AWS does whatever it may; absent: it does only what it has to. */
  readonly nightmare?: number;
  /** The world's folder below `.keyshift/`; another one lets two demos run at once. */
  readonly name: string;
}

function count(minimum: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!Number.isInteger(number) || number < minimum)
      throw new InvalidArgumentError(`give a whole number from ${minimum}`);
    return number;
  };
}

export function parseOptions(argv: readonly string[]): DemoOptions {
  return new Command('npm run demo --')
    .description('Moves a live, unencrypted database onto an encrypted one, in a world of its own on this machine.')
    .option('--keep', 'stay up afterwards, until Ctrl-C', false)
    .option('--hold', 'approve nothing: you do, with the commands that are shown', false)
    .option('--rows <n>', 'rows in the database at the start', count(1000), 20_000)
    .option('--rate <n>', 'transactions per second', count(1), 200)
    .option('--json', 'print the verdict as JSON on stdout, all else on stderr', false)
    .option('--chaos <n>', 'kill the worker n times (SIGKILL) at random moments', count(0), 0)
    .option('--seed <n>', 'seed of the random moments', count(0), Math.floor(Math.random() * 1e9))
    .option('--pooler', 'put PgBouncer in front: the application connects to that only', false)
    .addOption(
      new Option(
        '--abort-in-pause',
        'let the first pause overrun its budget: it has to be given up, and nothing be lost',
      )
        .default(false)
        .conflicts(['hold', 'chaos']),
    )
    .addOption(
      new Option('--rollback', 'go back to the old source 20 s after the cutover: nothing may be lost on the way')
        .default(false)
        .conflicts(['hold']),
    )
    .option(
      '--nightmare <seed>',
      'let AWS do whatever it may, by chance: late reads, states that flicker, groups left pending; with a replica, a group and monitoring of the team',
      count(0),
    )
    .option('--name <name>', 'folder below .keyshift/, so that two demos can run at once', 'demo')
    .allowExcessArguments(false)
    .parse([...argv])
    .opts<DemoOptions>();
}
