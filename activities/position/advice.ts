import type { PositionEvidence, PositionKind, PositionSilence } from '../../plan/position';

/** What makes a silent source of evidence speak. */
const REMEDIES: Readonly<Record<PositionKind, string>> = {
  'recovery-log':
    'If the log of the target is still there, allow the worker rds:DescribeDBLogFiles, rds:DownloadDBLogFilePortion and rds:DescribeDBSnapshots, and send retry.',
  'seed-function':
    'If RDS offers the extension rds_tools for this version, allow its use to the master user, and send retry.',
  walinspect:
    'On PostgreSQL 15 and later, allow pg_walinspect to the master user on both sides (members of pg_read_server_files may use it), and send retry.',
  'xid-split': 'If too much WAL came since the slot, start again at a quieter time.',
};

/** What an operator can do about a position that is not proven, in the order in which it helps. */
export function adviceFor(evidence: readonly PositionEvidence[], silent: readonly PositionSilence[]): string[] {
  const silentKinds = [...new Set(silent.map(({ kind }) => kind))].filter(
    (kind) => !evidence.some((one) => one.kind === kind),
  );
  return [
    ...silentKinds.map((kind) => REMEDIES[kind]),
    'Else send abort, and start again: a new slot, snapshot and clone. Keep the source from restarting until the target subscribes (no maintenance window, reboot or failover in between), and the log of the target for as long.',
    'Never set the position by hand: a wrong one loses or doubles rows.',
  ];
}
