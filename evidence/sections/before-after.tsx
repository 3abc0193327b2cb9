import type { Report } from '../../plan/report';
import { groupAfter, otherOf, type Side, sidesOf, switchesOf } from '../sides';
import { type Child, type Element, h } from '../h';
import { Badge, Code, type Mood, Nothing, Section, Table } from '../parts';
import { bytes, counted } from '../words';

const MOODS: Readonly<Record<Side['encryption'], Mood>> = {
  encrypted: 'good',
  'not encrypted': 'care',
  'to be encrypted': 'plain',
};

/** What applications used, and what they use now; each end of a migration has its own columns. */
export function BeforeAfter(report: Report): Element {
  const { source } = report;
  const sides = sidesOf(report);
  if (!source) {
    return (
      <Section id="before-after" title="Before and after">
        <Nothing>It ended before the source was known.</Nothing>
      </Section>
    );
  }
  const heads = sides.map(({ head }) => head);
  const row = (title: string, cell: (side: Side, place: number) => Child) => [title, ...sides.map(cell)];
  const switches = switchesOf(report);
  const other = otherOf(report);
  return (
    <Section id="before-after" title="Before and after">
      <Table
        kind="compare"
        caption="What applications use; the source as the preflight found it"
        head={['', ...heads]}
        rows={[
          row('Instance', ({ instance }) => <Code>{instance}</Code>),
          row('Resource id', ({ resourceId }) => (resourceId ? <Code>{resourceId}</Code> : 'in AWS only')),
          row('Encryption', ({ encryption }) => <Badge mood={MOODS[encryption]}>{encryption}</Badge>),
          row('KMS key', keyOf),
          row('Engine', ({ side }) =>
            side === 'source' ? `PostgreSQL ${source.engineVersion}` : 'the same, restored from a snapshot',
          ),
          row('Address', ({ address }) => (address ? <Code>{address}</Code> : 'in AWS only')),
          row('Parameter group', ({ side }, place) =>
            side === 'source' ? (
              <Code>{place === 0 ? source.parameterGroup : groupAfter(report)}</Code>
            ) : (
              'see "What stays"'
            ),
          ),
          row('Contents', ({ side }, place) =>
            place === 0
              ? `${counted(source.tables, 'table')} in ${source.databases.join(', ')}; ${bytes(source.sizeBytes)}`
              : side === 'source' && !report.cutover
                ? 'untouched'
                : 'see "Proof"',
          ),
        ]}
      />
      <p>
        {other.head}: {other.what}.
      </p>
      {switches.length > 0 ? (
        <Table
          caption="What leads applications to the database"
          head={['Switch', ...heads]}
          rows={switches.map(({ what, values }) => [what, ...values.map((value) => <Code>{value}</Code>)])}
        />
      ) : null}
    </Section>
  );
}

const keyOf = ({ key, keySaidBy }: Side): Child =>
  key ? (
    <span>
      <Code>{key}</Code>
      {keySaidBy === 'RDS' ? ', as RDS says' : ', of the plan'}
    </span>
  ) : (
    'none'
  );
