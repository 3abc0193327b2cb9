import { oldSourceName, renames } from '../plan/instance-names';
import type { Report } from '../plan/report';
import { type End, endOf, servedBy } from './ending';

/** What applications used, use, or are to use at one time. */
export interface Side {
  /** When: `Before`, `After`... */
  readonly head: string;
  readonly side: 'source' | 'target';
  readonly instance: string;
  readonly resourceId: string | undefined;
  readonly encryption: 'encrypted' | 'not encrypted' | 'to be encrypted';
  readonly key: string | undefined;
  /** Who says which key. */
  readonly keySaidBy: 'RDS' | 'the plan';
  readonly address: string | undefined;
}

/** The columns of before and after, as a migration ended. */
const COLUMNS: Readonly<Record<End, readonly (readonly [head: string, side: 'source' | 'target'])[]>> = {
  'under-way': [
    ['Now', 'source'],
    ['Planned', 'target'],
  ],
  switched: [
    ['Before', 'source'],
    ['Now', 'target'],
  ],
  'going-back': [
    ['Before', 'source'],
    ['Now', 'target'],
    ['Wanted', 'source'],
  ],
  completed: [
    ['Before', 'source'],
    ['After', 'target'],
  ],
  'source-kept': [
    ['Before', 'source'],
    ['After', 'target'],
  ],
  'rolled-back': [
    ['Before', 'source'],
    ['In between', 'target'],
    ['After the rollback', 'source'],
  ],
  aborted: [
    ['Before', 'source'],
    ['After', 'source'],
  ],
  blocked: [
    ['Before', 'source'],
    ['After', 'source'],
  ],
  failed: [
    ['Before', 'source'],
    ['After', 'source'],
  ],
};

/** Before and after, side by side. Empty: the source was never known. */
export function sidesOf(report: Report): Side[] {
  return columnsOf(report).flatMap(([head, side]) =>
    side === 'source' ? sourceSide(report, head) : [targetSide(report, head)],
  );
}

function columnsOf(report: Report) {
  const { source, cutover, rollback } = report;
  if (!source) return [];
  const end = endOf(report);
  if (end === 'going-back' && rollback?.cutover) {
    const heads = ['Before', 'In between', 'Now'];
    return COLUMNS[end].map(([, side], place) => [heads[place] ?? '', side] as const);
  }
  // No failure after the switch is known to end a migration; where one does, the page must not say that nothing moved.
  if (end === 'failed' && cutover) return COLUMNS[servedBy(report) === 'target' ? 'switched' : 'rolled-back'];
  return COLUMNS[end];
}

function sourceSide({ source }: Report, head: string): Side[] {
  if (!source) return [];
  return [
    {
      head,
      side: 'source',
      instance: source.instance,
      resourceId: source.resourceId,
      encryption: source.encrypted ? 'encrypted' : 'not encrypted',
      key: source.kmsKeyId,
      keySaidBy: 'RDS',
      address: `${source.address}:${source.port}`,
    },
  ];
}

function targetSide({ plan, source, target, cutover }: Report, head: string): Side {
  const [first] = cutover?.traffic ?? [];
  return {
    head,
    side: 'target',
    instance: cutover && renames(plan) ? plan.source.instance : plan.target.instance,
    resourceId: target?.resourceId,
    encryption: target !== undefined || cutover !== undefined ? 'encrypted' : 'to be encrypted',
    key: target?.kmsKeyArn ?? source?.targetKmsKeyArn,
    keySaidBy: target ? 'RDS' : 'the plan',
    address: target ? `${target.address}:${target.port}` : first?.to,
  };
}

/** What leads applications to the database: its value in each column. */
export function switchesOf({
  cutover,
  rollback,
  ...report
}: Report): { readonly what: string; readonly values: readonly string[] }[] {
  const back = rollback?.cutover?.traffic ?? [];
  const columns = columnsOf({ ...report, ...(cutover ? { cutover } : {}), ...(rollback ? { rollback } : {}) }).length;
  return (cutover?.traffic ?? []).map(({ what, from, to }, place) => {
    const again = back.find((one) => one.what === what) ?? back[place];
    return { what, values: [from, to, again?.to ?? from].slice(0, columns) };
  });
}

/** What became of the instance that applications don't use: its heading, and the words. */
export function otherOf(report: Report): { readonly head: string; readonly what: string } {
  const { plan, source, progress, status } = report;
  const plain = source?.encrypted === false ? ', not encrypted' : '';
  if (servedBy(report) === 'target') {
    const name = renames(plan) ? oldSourceName(plan) : plan.source.instance;
    const gone = status === 'completed' && !plan.keep?.source;
    return { head: 'Old instance', what: gone ? `${name}: deleted` : `${name}: kept, fenced${plain}` };
  }
  const name = plan.target.instance;
  if (report.rollback?.cutover) return { head: 'Target', what: `${name}: kept, fenced` };
  const undo = progress.undone.find((one) => one.name === 'target instance');
  if (undo) return { head: 'Target', what: undo.ok ? `${name}: deleted` : `${name}: COULD NOT BE DELETED` };
  if (!report.target) return { head: 'Target', what: `${name}: was not made` };
  return {
    head: 'Target',
    what: progress.undone.length > 0 ? `${name}: see "What was undone"` : `${name}: made, not in use`,
  };
}

/** The parameter group of the source after an end at which it serves. */
export function groupAfter({ source, progress }: Report): string {
  const undo = progress.undone.find(({ name }) => name === 'parameter group of the source');
  if (undo?.ok === false) return 'COULD NOT BE GIVEN BACK';
  return source?.parameterGroup ?? '';
}
