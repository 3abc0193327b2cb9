import { subscriptionName } from '../../plan/names';
import type { GuardReport, SourceHealth } from '../../plan/progress';
import { awsOf, type Dependencies, instanceOf } from '../dependencies';
import { FINGERPRINT_EVERY_MS, fingerprintSchema } from '../drift/fingerprint';
import { largest, type LagInput, readSlots, slotLost, type SlotLag, trendOf } from '../follow/read-lag';
import { readMark } from '../postgres/fence-table';
import { type Access, accessTo, inEachDatabase, type Session, withSession } from '../postgres/session';
import { findSubscription } from '../postgres/subscriptions';
import { findInstance } from '../rds/find-instance';
import { warnOfFailingApply } from './failing-apply';
import { forecast, remember, type Sample } from './forecast';
import { type FreeStorage, freeStorageOfSource } from './free-storage';
import { giveIdentities, IDENTITY_LOCK_TIMEOUT_MS, lookAtIdentities } from './give-identities';
import { sourceAtRisk } from './give-up';
import { judgeSource, type Warning } from './judge-source';
import { missingLinks, readChain, writeLink } from './mark-chain';
import { type Figures, readFigures, recreatedBetween } from './read-figures';

const STEP = { step: 'guard' } as const;
/** Time between looks at apply; each costs calls of AWS and a session on the other side. */
const APPLY_EVERY_MS = 30_000;

/** What one look found. */
export interface Look {
  readonly report: GuardReport;
  readonly health: SourceHealth;
  readonly slots: readonly SlotLag[];
}

/** Looks at the source again and again, and knows what it saw before. */
export class SourceWatch {
  #samples: readonly Sample[] = [];
  #figures: Figures | undefined;
  #bytesBefore: number | undefined;
  #closeLookAt = 0;
  #fromCloseLook: readonly Warning[] = [];
  #apply: { readonly at: number; readonly warnings: readonly Warning[] } = { at: 0, warnings: [] };
  /** Replica identities that are missing, and that were given; undefined: not looked at yet. */
  #identities: readonly Warning[] | undefined;
  #changedSchemas: readonly string[] = [];
  /** Links of the chain that were missing on the target at the close look before. */
  #suspects: ReadonlySet<string> = new Set();

  constructor(
    private readonly deps: Dependencies,
    private readonly input: LagInput,
    private readonly access: Access,
  ) {}

  /** @throws ApplicationFailure SlotLost */
  async look(): Promise<Look> {
    const { slots, figures } = await this.#readServer();
    const storage = await freeStorageOfSource(this.deps, this.input).catch(() => undefined);
    const recreated = this.#figures && recreatedBetween(this.#figures, figures);
    if (recreated) throw slotLost(recreated, 'not the one that we made: somebody dropped it and made it anew');
    this.#figures = figures;
    this.#identities ??= await this.#inEach({ readOnly: true }, lookAtIdentities);
    if (Date.now() - this.#closeLookAt >= FINGERPRINT_EVERY_MS) await this.#lookClosely();
    if (Date.now() - this.#apply.at >= APPLY_EVERY_MS) await this.#lookAtApply();
    return this.#judge(slots, figures, storage);
  }

  /**
   * What it writes in each database: the next mark, so that the slot of an idle one moves and the chain gets its next link, and a replica
   * identity for each table that came without one. The next look tells of it.
   */
  async write(at: Date): Promise<void> {
    const number = Math.floor(at.getTime() / 5_000);
    this.#identities = await this.#inEach(
      { lockTimeoutMs: IDENTITY_LOCK_TIMEOUT_MS },
      async (session, input, database) => {
        await writeLink(session, input.id, number, at.toISOString());
        return giveIdentities(session, input, database);
      },
    );
  }

  async #inEach(
    options: { readonly readOnly?: boolean; readonly lockTimeoutMs?: number },
    work: (session: Session, input: LagInput, database: string) => Promise<Warning[]>,
  ): Promise<Warning[]> {
    const { access, input } = this;
    const found = await inEachDatabase(access, input.databases, { ...STEP, ...options }, (session, database) =>
      work(session, input, database),
    );
    return found.flat();
  }

  async #readServer(): Promise<{ slots: readonly SlotLag[]; figures: Figures }> {
    const { databases } = this.input;
    try {
      return await withSession(this.access, { ...STEP, database: 'postgres', readOnly: true }, async (session) => ({
        slots: await readSlots(session, this.input, databases),
        figures: await readFigures(session, this.input, databases),
      }));
    } catch (error) {
      throw (await this.#givenUpBefore()) ?? error;
    }
  }

  /** An attempt before this one may have given our slots up and died before it could say so. */
  async #givenUpBefore(): Promise<Error | undefined> {
    const [database] = this.input.databases;
    if (database === undefined) return undefined;
    const reason = await withSession(this.access, { ...STEP, database, readOnly: true }, (session) =>
      readMark(session, this.input.id, 'given-up'),
    ).catch(() => undefined);
    return reason === undefined ? undefined : sourceAtRisk(reason);
  }

  #judge(slots: readonly SlotLag[], figures: Figures, storage: FreeStorage | undefined): Look {
    const bytes = largest(slots);
    const retainedBytes = Math.max(0, ...slots.map((slot) => slot.retainedBytes));
    const safe = slots.map(({ safeWalBytes }) => safeWalBytes).filter((value) => value !== null);
    const safeWalBytes = safe.length > 0 ? Math.min(...safe) : undefined;
    const freeBytes = storage?.freeBytes;
    this.#samples = remember(this.#samples, {
      at: Date.now(),
      lagBytes: bytes,
      retainedBytes,
      safeWalBytes,
      freeBytes,
    });
    const { goneInMs, ...ends } = forecast(this.#samples);
    const health: SourceHealth = {
      retainedBytes,
      ...(safeWalBytes === undefined ? {} : { safeWalBytes }),
      ...(storage ? { freeStorageBytes: storage.freeBytes, freeStoragePercent: storage.percent } : {}),
      ...ends,
      oldestTransactionMs: Math.round(figures.oldestTransactionMs),
      catalogXminAge: Math.max(0, ...slots.map(({ catalogXminAge }) => catalogXminAge ?? 0)),
      ...(figures.spilledBytes === null ? {} : { spilledBytes: figures.spilledBytes }),
      ...(this.#changedSchemas.length > 0 ? { changedSchemas: this.#changedSchemas } : {}),
    };
    const lag = {
      bytes,
      trend: trendOf(this.#bytesBefore ?? bytes, bytes),
      at: new Date().toISOString(),
      ...(goneInMs === undefined ? {} : { goneInMs }),
      source: health,
    };
    this.#bytesBefore = bytes;
    const warnings = [
      ...judgeSource(this.input.plan, lag, health, figures.ceilingBytes ?? undefined),
      ...(this.#identities ?? []),
      ...this.#fromCloseLook,
      ...this.#apply.warnings,
    ];
    return { report: { ...lag, ...(warnings.length > 0 ? { warnings } : {}) }, health, slots };
  }

  /** What takes a session in each database, and its time: the schema, the chain of marks. */
  async #lookClosely(): Promise<void> {
    const { id, databases, plan } = this.input;
    const changed: string[] = [];
    await inEachDatabase(this.access, databases, { ...STEP, readOnly: true }, async (session, database) => {
      const captured = await readMark(session, id, 'schema');
      if (
        captured !== undefined &&
        captured !== (await fingerprintSchema(session, id, { like: captured, ignored: plan.ignore.roles }))
      )
        changed.push(database);
    });
    this.#changedSchemas = changed;
    this.#fromCloseLook = changed.map((database) => ({
      code: `schema-changed-${database}`,
      text: `schema, grants, settings or comments of database ${database} are not what they were when its slot was made. Before the cutover both sides are compared; what the target lacks then comes as SQL.`,
    }));
    await this.#compareChains();
    this.#closeLookAt = Date.now();
  }

  /** Whether the other side gets any further. It may not be there yet, or be away for a moment: that is for others to say. */
  async #lookAtApply(): Promise<void> {
    const { deps, input } = this;
    const warnings = await warnOfFailingApply(deps, input).catch(() => this.#apply.warnings);
    this.#apply = { at: Date.now(), warnings };
  }

  /** Twice in a row, since a guard that is taken for dead may write one late mark more. */
  async #compareChains(): Promise<void> {
    const { deps, input } = this;
    if (!(await findInstance(awsOf(deps, input), instanceOf(input, 'target')))) return;
    const suspects = new Set<string>();
    for (const database of input.databases) {
      const options = { ...STEP, database, readOnly: true };
      const there = await withSession(this.access, options, (session) => readChain(session, input.id));
      // The target may still be on its way, or away for a moment: that is for others to say.
      const missing = await accessTo(deps, input, 'target')
        .then((target) =>
          withSession(target, options, async (session) => {
            const subscription = await findSubscription(session, subscriptionName(input, database));
            return subscription?.subenabled ? missingLinks(there, await readChain(session, input.id)) : [];
          }),
        )
        .catch(() => []);
      for (const mark of missing) {
        if (this.#suspects.has(`${database} ${mark}`)) {
          throw slotLost(
            `of database ${database}`,
            `not the one that we made: the mark of ${mark} never came to the target, though later ones did. Somebody dropped the slot and made it anew, or moved it forward`,
          );
        }
        suspects.add(`${database} ${mark}`);
      }
    }
    this.#suspects = suspects;
  }
}
