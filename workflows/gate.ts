import type { Approval, GateAnswer, GateName } from '../plan/gates';
import type { OpenGate, Progress } from '../plan/progress';
import type { Plan } from '../plan/plan';
import { MESSAGES } from '../plan/temporal';
import { isGate, updateCommand } from './details';

/** What a gate needs of its migration. */
export interface GateHost {
  readonly id: string;
  readonly plan: Plan;
  readonly progress: Progress;
  notice(text: string): void;
  /** The open gate, what is missing, or both have changed. */
  gateChanged(name: GateName | undefined): void;
}

/** One person, however the name is written. */
const person = (by: string): string => by.trim().toLowerCase();

/**
 * The gate that is open, and who has answered it. As many different people as the plan says have to approve one opening of it; a
 * rejection by anybody empties what has come so far.
 */
export class Gates {
  #openings = 0;
  #rejectable = false;
  /** Approvals of this opening. */
  #approvals: Approval[] = [];
  /** Approvals that came before the opening that they are for. */
  #early: readonly Approval[] = [];
  #decided: Approval | undefined;

  constructor(private readonly host: GateHost) {}

  /** The answer that decided, once there is one. */
  get decided(): Approval | undefined {
    return this.#decided;
  }

  open(name: GateName, findings: readonly string[], rejectable = false): void {
    const { host } = this;
    const opening = ++this.#openings;
    const command = updateCommand(host.id, MESSAGES.approve, JSON.stringify({ gate: name, by: '<you>', opening }));
    const openedAt = new Date().toISOString();
    host.progress.gate = { name, opening, openedAt, findings, command };
    if (host.progress.status === 'running') host.progress.status = 'waiting';
    this.#rejectable = rejectable;
    this.#decided = undefined;
    this.#approvals = this.#early.filter(({ gate }) => gate === name);
    this.#early = [];
    this.#count();
    host.gateChanged(name);
  }

  close(): void {
    const { progress } = this.host;
    if (!progress.gate) return;
    delete progress.gate;
    if (progress.status === 'waiting') progress.status = 'running';
    this.#approvals = [];
    this.#decided = undefined;
    this.host.gateChanged(undefined);
  }

  /** New findings for the gate that is open. */
  refresh(findings: readonly string[]): void {
    const { progress } = this.host;
    if (progress.gate) progress.gate = { ...progress.gate, findings };
  }

  /** What came for this opening counts for the next one, too: nothing has changed but the time. */
  keepForNextOpening(): void {
    this.#early = [...this.#approvals];
  }

  /** An approval that comes with the waivers without which the gate would not open. */
  approveEarly(approval: Approval): void {
    this.host.progress.approvals.push(approval);
    this.#early = [...this.#early.filter(({ by }) => person(by) !== person(approval.by)), approval];
  }

  /** They count no more, since it was red or has begun. */
  dropEarly(reason?: string): void {
    if (reason !== undefined) {
      for (const { gate, by } of this.#early)
        this.host.notice(`the approval of ${gate} by ${by} counts no more: ${reason}`);
    }
    this.#early = [];
  }

  answer(approval: Approval): string {
    const { gate, by, comment, decision } = approval;
    this.host.progress.approvals.push(approval);
    if (decision === 'approved') {
      // One that decided and has expired is gone: otherwise this one would have been refused.
      this.#decided = undefined;
      this.#approvals.push(approval);
      this.#count();
    } else if (this.#rejectable) {
      this.#decided = approval;
    } else {
      const others = this.#approvals.length > 0 ? '; approvals before it count no more' : '';
      this.#approvals = [];
      this.#decided = undefined;
      this.#count();
      this.host.notice(`${gate} rejected by ${by}${comment ? `: ${comment}` : ''}; the gate stays open${others}`);
    }
    const missing = this.#missing();
    return `${gate}: ${decision} by ${by}${decision === 'approved' && missing > 0 ? `; ${missing} more needed` : ''}`;
  }

  /** Who has approved this opening, as it is shown; not looked at for their age since the last answer. */
  get approvedBy(): number {
    return this.#approvals.length;
  }

  /** Time until the oldest approval expires, in milliseconds; undefined: none does. */
  get expiresInMs(): number | undefined {
    const { gate } = this.host.progress;
    const minutes = gate && this.host.plan.gates[gate.name].expiresAfterMinutes;
    const [oldest] = this.#approvals.map(({ at }) => Date.parse(at)).sort((one, other) => one - other);
    return minutes === undefined || oldest === undefined
      ? undefined
      : Math.max(0, oldest + minutes * 60_000 - Date.now()) + 1;
  }

  /** Approvals grow old while the window is awaited: whether they are still enough. */
  stillDecided(): boolean {
    if (this.#decided?.decision === 'rejected') return true;
    this.#decided = undefined;
    this.#count();
    return this.#decided !== undefined;
  }

  /** @returns why an answer is not taken; undefined: it is */
  refuse(input: GateAnswer | undefined, decision: Approval['decision']): string | undefined {
    const open = this.host.progress.gate;
    const state = open ? `the open gate is ${open.name}` : 'no gate is open';
    if (typeof input !== 'object' || input === null || !isGate(input.gate)) {
      return `answer refused: give {"gate":"<gate>","by":"<you>"}; ${state}`;
    }
    if (typeof input.by !== 'string' || input.by.trim() === '') {
      return `answer for ${input.gate} refused: "by" has to say who answers`;
    }
    const refused = `answer for ${input.gate} by ${input.by} refused`;
    if (input.gate !== open?.name) return `${refused}: ${state}`;
    if (input.opening !== undefined && input.opening !== open.opening) {
      return `${refused}: it is for opening ${input.opening}, and this is opening ${open.opening}; look at the findings again`;
    }
    if (decision === 'rejected' && !this.#rejectable) return undefined;
    const valid = this.#approvals.filter(({ at }) => Date.parse(at) >= this.#oldest());
    const { by: who, decision: what } = this.#decided ?? {};
    // An approval that has expired keeps nobody from giving another.
    if (who && (what === 'rejected' || valid.length === this.#approvals.length))
      return `${refused}: ${who} has ${what} it`;
    if (valid.some(({ by }) => person(by) === person(input.by))) {
      return `${refused}: ${input.by} has approved it already; ${this.#missing()} more needed, each by another person`;
    }
    return undefined;
  }

  /** Approvals from before count no more. */
  #oldest(): number {
    const { gate } = this.host.progress;
    const minutes = gate && this.host.plan.gates[gate.name].expiresAfterMinutes;
    return minutes === undefined ? 0 : Date.now() - minutes * 60_000;
  }

  #missing(): number {
    const { gate } = this.host.progress;
    return gate ? Math.max(0, this.host.plan.gates[gate.name].approvers - this.#approvals.length) : 0;
  }

  /** Drops what has expired, shows who has approved, and decides when they are enough. */
  #count(): void {
    const { host } = this;
    const { gate } = host.progress;
    if (!gate) return;
    const { approvers, expiresAfterMinutes } = host.plan.gates[gate.name];
    const oldest = this.#oldest();
    const expired = this.#approvals.filter(({ at }) => Date.parse(at) < oldest);
    this.#approvals = this.#approvals.filter((one) => !expired.includes(one));
    for (const { by } of expired) {
      host.notice(
        `the approval of ${gate.name} by ${by} is older than ${expiresAfterMinutes} min: it has to come anew`,
      );
    }
    if (this.#approvals.length >= approvers) this.#decided = this.#approvals.at(-1);
    const by = this.#approvals.map((one) => one.by);
    const { approvals: _before, ...rest } = gate;
    const shown: OpenGate = approvers > 1 || by.length > 0 ? { ...rest, approvals: { needed: approvers, by } } : rest;
    host.progress.gate = shown;
    host.gateChanged(gate.name);
  }
}
