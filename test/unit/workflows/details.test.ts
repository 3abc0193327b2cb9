import type { Progress } from '../../../plan/progress';
import { stepOf } from '../../../plan/progress';
import { STEP_NAMES, STEPS } from '../../../plan/steps';
import { renderDetails, updateCommand } from '../../../workflows/details';
import { progressAt } from '../../support/progress';

/** Width of the column in which the Web UI shows Markdown. */
const COLUMN = 50;
const longestId = `a${'b'.repeat(40)}`;

const withGate = (progress: Progress): Progress => {
  progress.status = 'waiting';
  progress.gate = {
    name: 'cutover',
    opening: 2,
    openedAt: '2026-11-21T10:02:00.000Z',
    findings: ['lag 0 bytes, steady', 'sessions that will be ended: 8'],
    command: updateCommand(progress.migration, 'approve', '{"gate":"cutover","by":"<you>"}'),
  };
  return progress;
};

const codeBlocks = (markdown: string): string[] =>
  [...markdown.matchAll(/```\n([\s\S]*?)\n```/g)].map(([, code]) => code ?? '');

/** The details with the gap that the Web UI needs between cells taken out. */
const render = (progress: Progress): string => renderDetails(progress).replaceAll('\u00a0', '');

describe('the current details', () => {
  it('show every step with its sign and how long it took', () => {
    const progress = progressAt(['preflight', 'parameters'], 'reboot');
    stepOf(progress, 'verify').status = 'skipped';
    const details = render(progress);
    expect(details).toContain('## encrypt-app-db: running');
    expect(details).toContain('| ✔ | inspect | preflight | 1 min 30 s |');
    expect(details).toContain('| ▶ | prepare | reboot |  |');
    expect(details).toContain('| – | follow | verify |  |');
    expect(details).toContain('| · | finish | evidence |  |');
    for (const name of STEP_NAMES) {
      // Those of a rollback come when there is one, the last lock where the plan has it.
      expect(details.includes(`| ${name} |`)).toBe(STEPS[name].phase !== 'rollback' && name !== 'stop-source');
    }
  });

  it('say in the words of the runbook what runs now', () => {
    expect(render(progressAt([], 'snapshot'))).toContain('**Now** snapshot: snapshot of the source');
  });

  it('show the lag and its trend', () => {
    const progress = progressAt([], 'catch-up');
    progress.lag = { bytes: 1_572_864, trend: 'falling', at: '2026-11-21T10:02:03.456Z' };
    expect(render(progress)).toContain('**Lag** 1.5 MiB, falling (2026-11-21T10:02:03Z)');
  });

  it('show how the source bears it, and when that ends', () => {
    const progress = progressAt([], 'catch-up');
    progress.lag = {
      bytes: 1_572_864,
      trend: 'falling',
      at: '2026-11-21T10:02:03.456Z',
      goneInMs: 90_000,
      source: {
        retainedBytes: 2_097_152,
        freeStorageBytes: 1_073_741_824,
        freeStoragePercent: 20.4,
        storageFullInMs: 7_200_000,
      },
    };
    expect(render(progress)).toContain('falling, gone in 1 min 30 s (');
    expect(render(progress)).toContain(
      '**Source** keeps 2.0 MiB of WAL for us, 1.0 GiB of storage free (20 %), full in 2 h',
    );
  });

  it('of an open gate show what was found and the command that approves', () => {
    const details = render(withGate(progressAt(['preflight'], 'go-no-go')));
    expect(details).toContain('**Waiting for approval: cutover**');
    expect(details).toContain('- lag 0 bytes, steady\n- sessions that will be ended: 8');
    expect(codeBlocks(details)).toEqual([
      [
        'temporal workflow update execute \\',
        '  --workflow-id encrypt-app-db \\',
        '  --name approve \\',
        `  --input '{"gate":"cutover","by":"<you>"}'`,
      ].join('\n'),
    ]);
    expect(details).not.toContain('**Now**');
  });

  it('of a parked migration show the failure, and how to go on or give up', () => {
    const progress = progressAt(['preflight'], 'position');
    progress.status = 'parked';
    progress.parked = { step: 'position', type: 'PositionDisputed', message: 'The sources disagree.' };
    stepOf(progress, 'position').status = 'failed';
    const details = render(progress);
    expect(details).toContain('**Parked** at step `position`: PositionDisputed');
    expect(details).toContain('The sources disagree.');
    expect(codeBlocks(details)[0]).toContain('--name retry');
    expect(details).toContain('`abort`');
    expect(details).toContain('| ✖ | attach | position |');
  });

  it('break commands over lines that fit the column, whatever the id', () => {
    const progress = withGate(progressAt([], 'go-no-go'));
    const gate = render({ ...progress, migration: longestId });
    const parked = render({
      ...progress,
      migration: 'encrypt-app-db',
      parked: { step: 'position', type: 'SlotLost', message: 'x' },
    });
    const lines = [gate, parked].flatMap(codeBlocks).flatMap((code) => code.split('\n'));
    expect(lines.length).toBeGreaterThan(6);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(COLUMN);
  });

  it('keep the cells of the table short', () => {
    const rows = render(progressAt(STEP_NAMES)).split('\n');
    for (const row of rows.filter((line) => line.startsWith('|'))) expect(row.length).toBeLessThanOrEqual(COLUMN);
  });

  it('show what the steps found, what was undone, and the last eight notices', () => {
    const progress = progressAt(['preflight']);
    stepOf(progress, 'preflight').note = '15 checks, 0 warnings';
    progress.undone = [
      { name: 'fence', ok: true },
      { name: 'replication slots', ok: false, message: 'in use' },
    ];
    progress.notices = Array.from({ length: 10 }, (_, n) => ({ at: '2026-11-21T10:02:03.456Z', text: `notice ${n}` }));
    const details = render(progress);
    expect(details).toContain('### Found\n- preflight: 15 checks, 0 warnings');
    expect(details).toContain('### Undone\n- ✔ fence\n- ✖ replication slots: in use');
    expect(details).toContain('- 10:02:03 notice 9');
    expect(details).not.toContain('notice 1\n');
    expect(details.match(/notice \d/g)).toHaveLength(8);
  });

  it('leave out what there is nothing to say of', () => {
    const details = render(progressAt([]));
    for (const title of ['Lag', 'Found', 'Undone', 'Notices', 'Parked', 'Waiting'])
      expect(details).not.toContain(title);
  });
});
