/** A moment of the pause: a statement on one side, or a call of AWS, before it is sent or while its answer is under way. */
export interface Moment {
  readonly at: 'from' | 'to' | 'aws';
  /** Regular expression for the text of the statement, or the name of the command of the SDK. */
  readonly what: string;
  readonly when: 'before' | 'after';
}

export interface Step {
  readonly name: string;
  readonly moment: Moment;
  /** Traffic may have moved by then: from here on the pause goes forward only. */
  readonly pastSwitch?: true;
}

/** The steps of the pause's timeline (docs/how-it-works.md), in their order. */
export const STEPS: readonly Step[] = [
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
];

export const FAULTS = [
  'worker killed',
  'activity fails',
  'operator aborts',
  'source fails over',
  'target cut off',
] as const;
export type FaultName = (typeof FAULTS)[number];
