import { childrenOf, lookUpProcess, signalIfThere } from './processes';

/** The worst case of a server that can't be brought to a halt, for instance in uninterruptible I/O. */
const FREEZE_TIMEOUT_MS = 10_000;

/**
 * Runs `work` while every process of a PostgreSQL server stands still, and always lets them run again.
 *
 * The postmaster is stopped first, so that it can start no new process; then its children, until all are in state T. Nothing of the
 * server writes to its files from then on: what lies on disk (page cache included) is what a power cut would have left.
 * `work` is synchronous: an event loop that is busy elsewhere would prolong the freeze.
 */
export function whileFrozen<Result>(postmasterPid: number, work: () => Result): Result {
  try {
    freeze(postmasterPid);
    return work();
  } finally {
    thaw(postmasterPid);
  }
}

/** Lets a server run again. Harmless for one that isn't frozen, so it also serves after a crash of ours in mid-freeze. */
export function thaw(postmasterPid: number): void {
  for (const child of childrenOf(postmasterPid)) signalIfThere(child.pid, 'SIGCONT');
  signalIfThere(postmasterPid, 'SIGCONT');
}

/** Brings every process of a server to a halt; `thaw` lets them run again. */
export function freeze(postmasterPid: number): void {
  const deadline = Date.now() + FREEZE_TIMEOUT_MS;
  signalIfThere(postmasterPid, 'SIGSTOP');
  for (;;) {
    const postmaster = lookUpProcess(postmasterPid);
    if (!postmaster) throw new Error(`server process ${postmasterPid} ended while it was being frozen`);
    const children = childrenOf(postmasterPid);
    const moving = [postmaster, ...children].filter((entry) => !['T', 'Z'].includes(entry.state));
    if (moving.length === 0) return;
    for (const entry of moving) signalIfThere(entry.pid, 'SIGSTOP');
    if (Date.now() > deadline) throw new Error(`processes ${moving.map((entry) => entry.pid).join(', ')} don't stop`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
}
