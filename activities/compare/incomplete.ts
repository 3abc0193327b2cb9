import { finalFailure } from '../../plan/failures';
import { comparable, type Counted } from './coverage';

/** The tables that the comparison knows aren't those that the catalog counts. */
export function incomplete(database: string, side: string, counted: Counted, known: number) {
  return finalFailure(
    'ProofIncomplete',
    `The catalog of the ${side} counts ${comparable(counted)} tables and partitions in database ${database}, and the comparison knows ${known}: some would go uncompared. That is a mistake of Keyshift. Nothing is removed before you say so; compare these tables by other means, and report it.`,
    { database, side, counted, known },
  );
}
