import type { Report } from '../../plan/report';
import { type Child, type Element, h } from '../h';
import { Badge, Code, Nothing, Section, Table } from '../parts';
import { bytes, counted } from '../words';

/** Source and target side by side. */
export function BeforeAfter({ plan, source, target, cutover }: Report): Element {
  if (!source) {
    return (
      <Section id="before-after" title="Before and after">
        <Nothing>It ended before the source was known.</Nothing>
      </Section>
    );
  }
  const made = target !== undefined || cutover !== undefined;
  const key = target?.kmsKeyArn ?? source.targetKmsKeyArn;
  const rows: readonly (readonly Child[])[] = [
    ['Instance', <Code>{source.instance}</Code>, <Code>{plan.target.instance}</Code>],
    ['Resource id', <Code>{source.resourceId}</Code>, target ? <Code>{target.resourceId}</Code> : 'in AWS only'],
    [
      'Encryption',
      source.encrypted ? <Badge mood="plain">encrypted</Badge> : <Badge mood="care">not encrypted</Badge>,
      made ? <Badge mood="good">encrypted</Badge> : 'was not made',
    ],
    [
      'KMS key',
      source.kmsKeyId ? <Code>{source.kmsKeyId}</Code> : 'none',
      <span>
        <Code>{key}</Code>
        {target ? ', as RDS says' : ', of the plan'}
      </span>,
    ],
    ['Engine', `PostgreSQL ${source.engineVersion}`, 'the same, restored from a snapshot'],
    [
      'Address',
      <Code>{`${source.address}:${source.port}`}</Code>,
      target ? <Code>{`${target.address}:${target.port}`}</Code> : addressAfter(cutover?.traffic),
    ],
    ['Parameter group', <Code>{source.parameterGroup}</Code>, 'see "What stays"'],
    [
      'Contents',
      `${counted(source.tables, 'table')} in ${source.databases.join(', ')}; ${bytes(source.sizeBytes)}`,
      'see "Proof"',
    ],
  ];
  return (
    <Section id="before-after" title="Before and after">
      <Table
        kind="compare"
        caption="The source as the preflight found it, and the target"
        head={['', 'Before', 'After']}
        rows={rows}
      />
      {cutover && cutover.traffic.length > 0 ? (
        <Table
          caption="What leads applications to the database"
          head={['Switch', 'Before', 'After']}
          rows={cutover.traffic.map(({ what, from, to }) => [what, <Code>{from}</Code>, <Code>{to}</Code>])}
        />
      ) : null}
    </Section>
  );
}

const addressAfter = (traffic: readonly { readonly to: string }[] = []): Child =>
  traffic[0] ? <Code>{traffic[0].to}</Code> : 'in AWS only';
