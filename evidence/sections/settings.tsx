import type { InstanceComparison, Report } from '../../plan/report';
import { type Element, h } from '../h';
import { Badge, Code, Nothing, Section, Table } from '../parts';
import { counted } from '../words';

/** The target and its replicas, field by field against those whose settings they shall have. */
export const Settings = ({ settings }: Report): Element => (
  <Section id="settings" title="Settings compared">
    {settings ? (
      <div>
        {settings.instances.map((one) => (
          <Instance {...one} />
        ))}
        <p>
          {counted(settings.roleSettings, 'role')} and settings of roles and databases compared by SQL.{' '}
          {settings.replicas.length > 0 ? `Read replicas of the source: ${settings.replicas.join(', ')}.` : ''}
        </p>
      </div>
    ) : (
      <Nothing>It did not get that far.</Nothing>
    )}
  </Section>
);

function Instance({ instance, like, compared, planned, differences, notCompared }: InstanceComparison): Element {
  const rows = [
    ...differences.map(({ field, wanted, found }) => [field, wanted, found, <Badge mood="bad">different</Badge>]),
    ...notCompared.map(({ field, wanted, found }) => [field, wanted, found, <Badge mood="care">not compared</Badge>]),
  ];
  return (
    <div>
      <p>
        <Code>{instance}</Code> like <Code>{like}</Code>: {counted(compared, 'field')} compared,{' '}
        {differences.length === 0 ? 'none differs' : `${differences.length} DIFFER`}.
      </p>
      {planned.length > 0 ? (
        <ul>
          {planned.map((change) => (
            <li>By the plan: {change}</li>
          ))}
        </ul>
      ) : null}
      {rows.length > 0 ? (
        <Table
          caption={`Settings of ${instance} that are not the same, or that this version does not know`}
          head={['Setting', 'Wanted', 'Found', '']}
          rows={rows}
        />
      ) : null}
    </div>
  );
}
