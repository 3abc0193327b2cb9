import { duration } from '../plan/format';
import {
  coverageText,
  type CutoverFacts,
  type InventoryCount,
  notProvenLines,
  type Comparison,
  equalRowsText,
  type Proof,
  proofLine,
  type Report,
} from '../plan/report';
import { acknowledgedOf, stopsOf, storyOf, titleOf } from '../evidence/ending';
import { otherOf, sidesOf } from '../evidence/sides';

/** The report as text; `--json` has all of it. */
export function renderReport(report: Report): string {
  return [
    `Migration ${report.migration}: ${report.status}\n${[titleOf(report), ...storyOf(report)].join('\n')}`,
    ...sideLines(report),
    ...stopLines(report),
    ...waiverLines(report),
    ...positionLines(report),
    ...settingsLines(report),
    ...cutoverLines(report),
    ...rollbackLines(report),
    ...proofLines(report),
    ...approvalLines(report),
    ...undoneLines(report),
    ...(report.stays.length > 0
      ? [`Left on purpose:\n${report.stays.map(({ what, name, why }) => `  ${what} ${name}: ${why}`).join('\n')}`]
      : []),
  ].join('\n\n');
}

function sideLines(report: Report): string[] {
  const { source } = report;
  if (!source) return [];
  const sides = sidesOf(report);
  const width = Math.max(...sides.map(({ head }) => head.length));
  const lines = sides.map(
    ({ head, instance, encryption, key }) =>
      `${head.padEnd(width)}  ${instance}, PostgreSQL ${source.engineVersion}, ${encryption}${encryption === 'not encrypted' || !key ? '' : ` under ${key}`}`,
  );
  const other = otherOf(report);
  return [[...lines, `${other.head}: ${other.what}`].join('\n')];
}

/** Why the preflight stopped it. */
function stopLines(report: Report): string[] {
  const lines = stopsOf(report).map(
    ({ code, level, message, remedy }) =>
      `  ${code} ${level === 'block' ? 'blocks' : 'is not acknowledged'}: ${message}${(remedy ?? '')
        .split('\n')
        .filter(Boolean)
        .map((line) => `\n    ${line}`)
        .join('')}`,
  );
  return lines.length > 0 ? [`Checks that stopped it\n${lines.join('\n')}`] : [];
}

/** What the plan let pass. The checks that were fine are in `--json`. */
function waiverLines(report: Report): string[] {
  const messages = new Map(report.checks.map(({ code, message }) => [code, message]));
  const lines = [
    ...report.overridden.map(
      ({ code, reason }) => `  ${code} overridden: ${messages.get(code) ?? ''}\n    because: ${reason}`,
    ),
    ...acknowledgedOf(report).map(({ code, message }) => `  ${code} acknowledged: ${message}`),
  ];
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
  return cutover ? [`Cutover ${pauseText(cutover, 'source')}`] : [];
}

/** The second pause. */
function rollbackLines({ rollback }: Report): string[] {
  if (!rollback) return [];
  const asked = `asked for by ${rollback.by} at ${rollback.requestedAt}: ${rollback.reason}`;
  return [
    rollback.cutover
      ? `Rollback ${pauseText(rollback.cutover, 'target')}\n  ${asked}`
      : `Rollback ${asked}\n  traffic is on the target until the second pause`,
  ];
}

/** @param left the side that applications left in this pause */
function pauseText(pause: CutoverFacts, left: 'source' | 'target'): string {
  const { switchedAt, pauseMs, timeline, fenceLsn, sequences, fencedRoles, traffic } = pause;
  return [
    `at ${switchedAt}: writes stopped for ${duration(pauseMs)}`,
    ...timeline.map(({ step, ms }) => `  ${step.padEnd(16)} ${ms.toFixed(1).padStart(8)} ms`),
    `  fence at ${fenceLsn}; ${sequences} sequences; roles locked out of the ${left}: ${fencedRoles.join(', ') || 'none'}`,
    ...traffic.map(({ what, from, to }) => `  ${what}: ${from} -> ${to}`),
  ].join('\n');
}

function proofLines({ verify, proof, cutover, rollback }: Report): string[] {
  const lines: string[] = [];
  if (verify)
    lines.push(
      `Compared while live: ${verify.rows} rows of ${verify.tables} tables agree, ${verify.undecided} undecided`,
      ...equalLines(verify),
    );
  if (proof) lines.push(`Proven as of the cutover: ${proofLine(proof, cutover?.switchedAt ?? '')}`, ...moreOf(proof));
  if (rollback?.proof) {
    const line = proofLine(rollback.proof, rollback.cutover?.switchedAt ?? '', 'rollback');
    lines.push(`Proven as of the rollback: ${line}`, ...moreOf(rollback.proof));
  }
  return lines.length > 0 ? [lines.join('\n')] : [];
}

function equalLines(compared: Comparison): string[] {
  const text = equalRowsText(compared);
  return text === undefined ? [] : [`  ${text}`];
}

function moreOf(proof: Proof): string[] {
  const { inventory = {}, sequencesBehind = [], ddlSince = [], ddlChanges = ddlSince.length } = proof;
  const counts = Object.entries(inventory).map(countText);
  const coverage = coverageText(proof);
  return [
    ...(coverage ? [`  ${coverage}`] : []),
    ...equalLines(proof),
    ...notProvenLines(proof).map((line) => `  NOT PROVEN: ${line}`),
    ...(ddlChanges > 0 ? [`  definitions changed since the cutover (${ddlChanges}): ${ddlSince.join('; ')}`] : []),
    ...(counts.length > 0 ? [`  source and target have ${counts.join(', ')}`] : []),
    ...(sequencesBehind.length > 0 ? [`  sequences behind: ${sequencesBehind.join(', ')}`] : []),
  ];
}

const countText = ([kind, { source, target }]: [string, InventoryCount]): string =>
  source === target ? `${source} ${kind}` : `${source} AND ${target} ${kind.toUpperCase()}`;

function approvalLines({ progress }: Report): string[] {
  if (progress.approvals.length === 0) return [];
  return [
    `Approvals\n${progress.approvals.map(({ at, gate, decision, by, comment }) => `  ${at} ${gate} ${decision} by ${by}${comment ? `: ${comment}` : ''}`).join('\n')}`,
  ];
}

function undoneLines({ progress }: Report): string[] {
  if (progress.undone.length === 0) return [];
  const lines = progress.undone.map(
    ({ name, ok, message }) => `  ${name}: ${ok ? 'undone' : `FAILED: ${message ?? ''}`}`,
  );
  return [`Undone\n${lines.join('\n')}`];
}
