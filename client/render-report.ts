import { duration } from '../plan/format';
import { type InventoryCount, proofLine, type Report } from '../plan/report';

/** The report as text; `--json` has all of it. */
export function renderReport(report: Report): string {
  return [
    `Migration ${report.migration}: ${report.status}`,
    ...sourceLines(report),
    ...waiverLines(report),
    ...positionLines(report),
    ...settingsLines(report),
    ...cutoverLines(report),
    ...proofLines(report),
    ...approvalLines(report),
    ...(report.stays.length > 0
      ? [`Left on purpose:\n${report.stays.map(({ what, name, why }) => `  ${what} ${name}: ${why}`).join('\n')}`]
      : []),
  ].join('\n\n');
}

function sourceLines({ source, plan }: Report): string[] {
  if (!source) return [];
  return [
    `Source  ${source.instance}, PostgreSQL ${source.engineVersion}, ${source.encrypted ? `encrypted under ${source.kmsKeyId}` : 'not encrypted'}\nTarget  ${plan.target.instance}, encrypted under ${source.targetKmsKeyArn}`,
  ];
}

/** What the plan let pass. The checks that were fine are in `--json`. */
function waiverLines({ checks, overridden }: Report): string[] {
  const reasons = new Map(overridden.map(({ code, reason }) => [code, reason]));
  const lines = checks.flatMap(({ level, code, message }) => {
    const reason = reasons.get(code);
    if (level === 'block' && reason !== undefined) return [`  ${code} overridden: ${message}\n    because: ${reason}`];
    return level === 'warn' ? [`  ${code} acknowledged: ${message}`] : [];
  });
  return lines.length > 0 ? [`Let pass by the plan\n${lines.join('\n')}`] : [];
}

function positionLines({ position }: Report): string[] {
  if (!position) return [];
  const evidence = position.evidence.map(({ kind, found }) => `  ${kind}: ${found}`);
  const silent = position.silent.map(({ kind, why }) => `  ${kind}: not asked or silent: ${why}`);
  return [`Position ${position.lsn}\n${[...evidence, ...silent].join('\n')}`];
}

function settingsLines({ settings }: Report): string[] {
  if (!settings) return [];
  const lines = settings.instances.flatMap(({ instance, like, compared, planned, differences, notCompared }) => [
    `  ${instance} like ${like}: ${compared} fields compared, ${differences.length} differ`,
    ...differences.map(({ field, wanted, found }) => `    ${field}: ${found}, wanted ${wanted}`),
    ...planned.map((change) => `    by the plan: ${change}`),
    ...notCompared.map(({ field, wanted, found }) => `    not compared: ${field} (${wanted}; ${found})`),
  ]);
  return [
    `Settings\n${lines.join('\n')}\n  ${settings.roleSettings} roles and settings of roles and databases compared`,
  ];
}

function cutoverLines({ cutover }: Report): string[] {
  if (!cutover) return [];
  return [
    `Cutover at ${cutover.switchedAt}: writes stopped for ${duration(cutover.pauseMs)}\n${cutover.timeline.map(({ step, ms }) => `  ${step.padEnd(16)} ${ms.toFixed(1).padStart(8)} ms`).join('\n')}\n  fence at ${cutover.fenceLsn}; ${cutover.sequences} sequences; roles locked out of the source: ${cutover.fencedRoles.join(', ') || 'none'}\n${cutover.traffic.map(({ what, from, to }) => `  ${what}: ${from} -> ${to}`).join('\n')}`,
  ];
}

function proofLines({ verify, proof, cutover }: Report): string[] {
  const lines: string[] = [];
  if (verify)
    lines.push(
      `Compared while live: ${verify.rows} rows of ${verify.tables} tables agree, ${verify.undecided} undecided`,
    );
  if (proof) {
    lines.push(`Proven as of the cutover: ${proofLine(proof, cutover?.switchedAt ?? '')}`);
    const inventory = Object.entries(proof.inventory ?? {});
    if (inventory.length > 0) lines.push(`  source and target have ${inventory.map(countText).join(', ')}`);
    if (proof.sequencesBehind?.length) lines.push(`  sequences behind: ${proof.sequencesBehind.join(', ')}`);
  }
  return lines.length > 0 ? [lines.join('\n')] : [];
}

const countText = ([kind, { source, target }]: [string, InventoryCount]): string =>
  source === target ? `${source} ${kind}` : `${source} AND ${target} ${kind.toUpperCase()}`;

function approvalLines({ progress }: Report): string[] {
  if (progress.approvals.length === 0) return [];
  return [
    `Approvals\n${progress.approvals.map(({ at, gate, decision, by, comment }) => `  ${at} ${gate} ${decision} by ${by}${comment ? `: ${comment}` : ''}`).join('\n')}`,
  ];
}
