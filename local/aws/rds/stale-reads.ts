import type { Context } from '../context';
import type { RdsState } from './model';

/** Reads of RDS that may lag: what waits go by. */
const READS: ReadonlySet<string> = new Set([
  'DescribeDBInstances',
  'DescribeDBSnapshots',
  'DescribeDBParameterGroups',
  'DescribeDBParameters',
]);

/** The world as it was before a call, for as long as reads still show it. */
interface Old {
  readonly rds: RdsState;
  readonly untilMs: number;
}

/** RDS is eventually consistent: after a call that changes something, reads may go on showing what was before for a while. */
export class StaleReads {
  private readonly old = new Map<string, Old>();

  constructor(private readonly context: Pick<Context, 'clock' | 'whims'>) {}

  /** Does a call on what it shall see. */
  async during<Result>(
    region: string,
    operation: string,
    rds: RdsState,
    work: (seen: RdsState) => Promise<Result> | Result,
  ): Promise<Result> {
    if (READS.has(operation)) return work(this.seen(region) ?? rds);
    if (/^(Describe|List|Download)/.test(operation) || !this.context.whims.takes('staleReads')) return work(rds);
    const before = structuredClone(rds);
    const result = await work(rds);
    const { clock, whims } = this.context;
    this.old.set(region, { rds: before, untilMs: Date.now() + clock.milliseconds(whims.staleSeconds()) });
    return result;
  }

  private seen(region: string): RdsState | undefined {
    const old = this.old.get(region);
    if (!old) return undefined;
    if (Date.now() < old.untilMs) return old.rds;
    this.old.delete(region);
    return undefined;
  }
}
