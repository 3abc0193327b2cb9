/** How writes stop in a matrix, and how traffic moves: `sql` and an SSM parameter, or `pgbouncer` as fence and switch. */
export const FENCES = ['sql', 'pgbouncer'] as const;
export type FenceName = (typeof FENCES)[number];

/**
 * A moment of the pause: a statement on one side or on PgBouncer's console, a call of AWS, or a file that takes the place of another; before it is
 * sent, or while its answer is under way.
 */
export interface Moment {
  readonly at: 'from' | 'to' | 'aws' | 'pooler' | 'file';
  /** Regular expression for the text of the statement or for the path of the file, or the name of the command of the SDK. */
  readonly what: string;
  readonly when: 'before' | 'after';
}

export interface Step {
  readonly name: string;
  readonly moment: Moment;
  /** Traffic may have moved by then: from here on the pause goes forward only. */
  readonly pastSwitch?: true;
  /** Transactions that were open are waited for: whoever is in one loses it with the server. */
  readonly endsTransactions?: true;
}

/** The steps of the pause's timeline (docs/how-it-works.md), in their order; with PgBouncer those that only exist there. */
export const STEPS: Readonly<Record<FenceName, readonly Step[]>> = {
  sql: [
    { name: 'fence', moment: { at: 'from', what: 'ALTER ROLE .* NOLOGIN', when: 'after' } },
    { name: 'sessions ended', moment: { at: 'from', what: 'pg_terminate_backend\\(pid\\) FROM found', when: 'after' } },
    { name: 'drain', moment: { at: 'to', what: '^SELECT mark FROM', when: 'before' } },
    { name: 'sequences', moment: { at: 'to', what: 'pg_sequence_last_value', when: 'before' } },
    { name: 'snapshots', moment: { at: 'to', what: 'pg_export_snapshot', when: 'before' } },
    { name: 'fence verified', moment: { at: 'from', what: '^SELECT pid, coalesce\\(usename', when: 'before' } },
    { name: 'recorded', moment: { at: 'to', what: '^INSERT INTO .*cutover', when: 'before' } },
    { name: 'switch, before the write', moment: { at: 'aws', what: 'PutParameterCommand', when: 'before' } },
    {
      name: 'switch, answer under way',
      moment: { at: 'aws', what: 'PutParameterCommand', when: 'after' },
      pastSwitch: true,
    },
  ],
  pgbouncer: [
    // The first look after PAUSE, whose own answer is not waited for.
    {
      name: 'fence pgbouncer',
      moment: { at: 'pooler', what: '^SHOW SERVERS', when: 'before' },
      endsTransactions: true,
    },
    { name: 'switch, before the write', moment: { at: 'file', what: '/databases\\.ini$', when: 'before' } },
    // A PgBouncer that does not take the file leaves a way back: nobody is on the other side yet.
    { name: 'switch, before RELOAD', moment: { at: 'pooler', what: '^RELOAD', when: 'before' } },
    { name: 'switch, answer under way', moment: { at: 'pooler', what: '^RELOAD', when: 'after' }, pastSwitch: true },
    { name: 'release, before RESUME', moment: { at: 'pooler', what: '^RESUME', when: 'before' }, pastSwitch: true },
    { name: 'release, answer under way', moment: { at: 'pooler', what: '^RESUME', when: 'after' }, pastSwitch: true },
  ],
};

const EVERYWHERE = [
  'worker killed',
  'host lost',
  'activity fails',
  'operator aborts',
  'source fails over',
  'target cut off',
] as const;

export type FaultName = (typeof EVERYWHERE)[number] | 'pooler cut off';

export const FAULTS: Readonly<Record<FenceName, readonly FaultName[]>> = {
  sql: EVERYWHERE,
  pgbouncer: [...EVERYWHERE, 'pooler cut off'],
};
