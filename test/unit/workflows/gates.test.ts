import type { Approval } from '../../../plan/gates';
import type { Progress } from '../../../plan/progress';
import { Gates } from '../../../workflows/gate';
import { parsedPlan, SMALLEST_PLAN } from '../../support/plan';

const MINUTE_MS = 60_000;

/** The gate of the cutover, open; time passes when the test says so. */
function openGate(approvers: number) {
  const notices: string[] = [];
  const progress = { status: 'running', approvals: [] } as unknown as Progress;
  const gates = new Gates({
    id: 'm-1',
    plan: parsedPlan({ ...SMALLEST_PLAN, gates: { cutover: { approvers, expiresAfterMinutes: 10 } } }),
    progress,
    notice: (text) => notices.push(text),
    gateChanged: () => undefined,
  });
  gates.open('cutover', []);
  const approve = (by: string): string => {
    const refused = gates.refuse({ gate: 'cutover', by }, 'approved');
    if (refused !== undefined) return refused;
    const approval: Approval = { gate: 'cutover', by, decision: 'approved', at: new Date().toISOString() };
    return gates.answer(approval);
  };
  return { gates, progress, notices, approve };
}

const pass = (minutes: number) => jest.setSystemTime(Date.now() + minutes * MINUTE_MS);

beforeEach(() => jest.useFakeTimers({ now: Date.parse('2026-11-21T10:00:00Z') }));
afterEach(() => jest.useRealTimers());

describe('approvals that expire', () => {
  test('count no more when another one comes, which says so', () => {
    const { gates, progress, notices, approve } = openGate(2);
    expect(approve('anna')).toBe('cutover: approved by anna; 1 more needed');
    pass(11);
    expect(approve('bob')).toBe('cutover: approved by bob; 1 more needed');
    expect(gates.decided).toBeUndefined();
    expect(progress.gate?.approvals).toEqual({ needed: 2, by: ['bob'] });
    expect(notices).toEqual(['the approval of cutover by anna is older than 10 min: it has to come anew']);
    expect(approve('anna')).toBe('cutover: approved by anna');
    expect(gates.decided?.by).toBe('anna');
  });

  test('decide until then, and not a moment longer', () => {
    const { gates, progress, approve } = openGate(1);
    approve('anna');
    pass(10);
    expect(gates.stillDecided()).toBe(true);
    expect(approve('bob')).toMatch(/refused: anna has approved it$/);
    expect(gates.expiresInMs).toBe(1);
    pass(1);
    expect(gates.stillDecided()).toBe(false);
    expect(progress.gate?.approvals).toBeUndefined();
    expect(gates.expiresInMs).toBeUndefined();
  });

  test('keep nobody from approving anew, the same person included, also where nobody has looked at their age since', () => {
    const { gates, progress, approve } = openGate(1);
    approve('anna');
    pass(11);
    expect(approve('anna')).toBe('cutover: approved by anna');
    expect(gates.decided?.at).toBe('2026-11-21T10:11:00.000Z');
    expect(progress.gate?.approvals).toEqual({ needed: 1, by: ['anna'] });
  });
});
