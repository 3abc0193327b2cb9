import type { LogState } from './history';
import type { RoundResult } from './round';

const LOG_IS_THERE: readonly LogState[] = [
  'whole',
  'with the log of the source before it',
  'without "invalid record length"',
];

/** The seed function or the log of the first recovery is there: a position is due. An image of a server that was stopped needs no recovery. */
export const isDue = ({ history }: RoundResult): boolean =>
  history.seedFunction || (LOG_IS_THERE.includes(history.log) && !history.stoppedImage);

/** How many rounds ended how, with the reasons of those that parked. */
export function summary(results: readonly RoundResult[]): string {
  const row = (name: string, some: readonly RoundResult[]): string => {
    const of = (verdict: RoundResult['verdict']) => some.filter((one) => one.verdict === verdict).length;
    return `| ${name} | ${some.length} | ${of('right')} | ${of('parked')} | ${of('wrong')} |`;
  };
  const due = results.filter(isDue);
  const others = results.filter((result) => !isDue(result));
  const reasons = results
    .filter(({ verdict }) => verdict === 'parked')
    .map((one) => `- ${one.history.seed}${isDue(one) ? ', although due' : ''}: ${one.detail}`);
  return [
    '| what can be seen | rounds | right | parked | wrong |',
    '|---|---|---|---|---|',
    row('seed function or log of the first recovery', due),
    row('neither', others),
    '',
    ...reasons,
  ].join('\n');
}
