import { type Proof as ProofOfAll, proofLine, type Report } from '../../plan/report';
import { type Element, h } from '../h';
import { Badge, Code, Nothing, Section, Table } from '../parts';
import { counted, duration, number } from '../words';

/** How it is known that nothing was lost. */
export function Proof({ verify, proof, cutover, position, rollback }: Report): Element {
  return (
    <Section id="proof" title="Proof">
      {proof ? (
        <p>
          <Badge mood={proof.differences.length === 0 ? 'good' : 'bad'}>
            {proof.differences.length === 0 ? 'identical' : 'DIFFERENT'}
          </Badge>{' '}
          {proofLine(proof, cutover?.switchedAt ?? '')}.
        </p>
      ) : (
        <Nothing>No proof was made: traffic was not switched, or it is still to come.</Nothing>
      )}
      {rollback?.cutover ? <ProofOfRollback proof={rollback.proof} switchedAt={rollback.cutover.switchedAt} /> : null}
      {verify ? (
        <p>
          Before the cutover, while both sides lived, {counted(verify.rows, 'row')} of {counted(verify.tables, 'table')}{' '}
          were compared in {duration(verify.durationMs)}. Rows that changed too often to be compared then:{' '}
          {number(verify.undecided)}.
        </p>
      ) : null}
      <Inventory proof={proof} />
      {proof?.sequencesBehind?.length ? <p>SEQUENCES BEHIND: {proof.sequencesBehind.join(', ')}</p> : null}
      <Differences proof={proof} />
      {position ? (
        <div>
          <h3>Where replication began</h3>
          <p>
            The copy ends at <Code>{position.lsn}</Code>, and replication began exactly there. Two independent kinds of
            evidence have to agree:
          </p>
          <Table
            caption="Evidence for the position"
            head={['Kind', 'Found']}
            rows={[
              ...position.evidence.map(({ kind, found }) => [kind, <Code>{found}</Code>]),
              ...position.silent.map(({ kind, why }) => [kind, `not asked, or silent: ${why}`]),
            ]}
          />
        </div>
      ) : null}
    </Section>
  );
}

/** The second comparison: the old source has what was written on the target. */
const ProofOfRollback = ({ proof, switchedAt }: { proof: ProofOfAll | undefined; switchedAt: string }): Element =>
  proof ? (
    <p>
      <Badge mood={proof.differences.length === 0 ? 'good' : 'bad'}>
        {proof.differences.length === 0 ? 'identical' : 'DIFFERENT'}
      </Badge>{' '}
      At the rollback: {proofLine(proof, switchedAt, 'rollback')}.
    </p>
  ) : (
    <Nothing>The rollback is not proven yet.</Nothing>
  );

function Inventory({ proof }: { proof: ProofOfAll | undefined }): Element | null {
  const kinds = Object.entries(proof?.inventory ?? {});
  if (kinds.length === 0) return null;
  return (
    <Table
      caption="Objects of all databases as of the cutover"
      head={['Kind', 'Source', 'Target', '']}
      rows={kinds.map(([kind, { source, target }]) => [
        kind,
        number(source),
        number(target),
        source === target ? 'the same' : 'DIFFERENT',
      ])}
    />
  );
}

function Differences({ proof }: { proof: ProofOfAll | undefined }): Element | null {
  if (!proof || proof.differences.length === 0) return null;
  return (
    <Table
      caption="Tables that differ"
      head={['Table', 'Only on the source', 'Only on the target', 'Different', 'For example']}
      rows={proof.differences.map(({ database, table, onlyOnSource, onlyOnTarget, different, examples }) => [
        `${database}: ${table}`,
        number(onlyOnSource),
        number(onlyOnTarget),
        number(different),
        examples.join('; '),
      ])}
    />
  );
}
