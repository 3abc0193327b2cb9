import { renderChecks, renderProgress } from '../../../client/output';
import { stepOf } from '../../../plan/progress';
import { progressAt } from '../../support/progress';

/** The line of a step, by its columns. */
const lineOf = (text: string, step: string): string[] =>
  (text.split('\n').find((line) => line.includes(` ${step} `)) ?? '').split(/\s{2,}/).map((cell) => cell.trim());

describe('a progress on a terminal', () => {
  it('has a line for each step: sign, phase, name, duration, note', () => {
    const progress = progressAt(['preflight']);
    stepOf(progress, 'preflight').note = '15 checks';
    const text = renderProgress(progress, []);
    expect(text).toMatch(/^encrypt-app-db: running\n/);
    expect(lineOf(text, 'preflight')).toEqual(['+', 'inspect', 'preflight', '1 min 30 s', '15 checks']);
    expect(lineOf(text, 'decommission').slice(-3)).toEqual(['finish', 'decommission', '']);
  });

  it('says what running activities said last, and the lag', () => {
    const progress = progressAt([], 'catch-up');
    progress.lag = { bytes: 2_048, trend: 'rising', at: '2026-11-21T10:00:00Z' };
    const text = renderProgress(progress, ['waitForCatchUp: lag 2048 bytes']);
    expect(text).toContain('lag 2.0 KiB, rising, at 2026-11-21T10:00:00Z');
    expect(text).toContain('now: waitForCatchUp: lag 2048 bytes');
  });

  it('in the soak says how long the way back is open, and what the old source costs', () => {
    const progress = progressAt(['watch'], 'soak');
    progress.wayBack = { state: 'replicating', since: '2026-11-21T10:00:00.000Z', command: '' };
    progress.soak = { notBefore: '2026-12-05T10:00:00.000Z', costs: ['app-db: about 4.19 USD a day (on demand)'] };
    progress.lag = { bytes: 9_999, trend: 'falling', at: '2026-11-21T09:59:59.000Z' };
    expect(renderProgress(progress, [])).toContain(
      'way back: open until the gate decommission is approved, which opens no sooner than 2026-12-05 10:00Z\nold source app-db: about 4.19 USD a day',
    );
    progress.lag = { bytes: 2_048, trend: 'falling', at: '2026-11-21T10:00:10.000Z' };
    progress.soak = { costs: [] };
    expect(renderProgress(progress, [])).toContain(
      'way back: open until the gate decommission is approved; the old source is 2.0 KiB behind',
    );
    progress.wayBack = { ...progress.wayBack, state: 'lost', why: 'a slot is lost' };
    expect(renderProgress(progress, [])).toContain('NO WAY BACK: a slot is lost');
  });

  it('of an open gate ends with the command that approves', () => {
    const progress = progressAt([], 'go-no-go');
    progress.gate = {
      name: 'cutover',
      opening: 2,
      openedAt: '',
      findings: ['lag 0 bytes'],
      command: 'temporal workflow signal',
    };
    expect(renderProgress(progress, [])).toMatch(
      /WAITING FOR APPROVAL: cutover\n {2}- lag 0 bytes\n\napprove with:\ntemporal workflow signal$/,
    );
  });

  it('of a parked migration says why, and both ways on', () => {
    const progress = progressAt([], 'position');
    progress.parked = { step: 'position', type: 'PositionDisputed', message: 'They disagree.' };
    const text = renderProgress(progress, []);
    expect(text).toContain('PARKED at position: PositionDisputed\nThey disagree.');
    expect(text).toContain('keyshift retry encrypt-app-db');
    expect(text).toContain('keyshift abort encrypt-app-db');
  });

  it('gives commands that work as they are typed', () => {
    const progress = progressAt([], 'position');
    progress.parked = { step: 'position', type: 'PositionDisputed', message: 'x' };
    // abort refuses to go without a reason.
    expect(renderProgress(progress, [])).toMatch(/keyshift abort encrypt-app-db .*--reason/);
  });

  it('shows what was undone and the last ten notices', () => {
    const progress = progressAt([]);
    progress.undone = [
      { name: 'fence', ok: true },
      { name: 'slots', ok: false, message: 'in use' },
    ];
    progress.notices = Array.from({ length: 12 }, (_, n) => ({ at: 'now', text: `notice ${n}` }));
    const text = renderProgress(progress, []);
    expect(text).toContain('undone:\n  + fence\n  ! slots: in use');
    expect(text.match(/notice \d/g)).toHaveLength(10);
    expect(text).toContain('notice 11');
  });
});

describe('checks on a terminal', () => {
  it('show the remedy of what needs one', () => {
    expect(
      renderChecks([
        { code: 'quota', level: 'ok', message: 'enough', remedy: 'none' },
        { code: 'key-usable', level: 'block', message: 'disabled', remedy: 'enable it' },
        { code: 'fence-roles', level: 'warn', message: 'master' },
      ]),
    ).toBe(
      'ok    quota: enough\nBLOCK key-usable: disabled\n        enable it\nWARN  fence-roles: master\n        or accept it in the plan: acknowledge: [fence-roles]',
    );
  });
});
