import { coverageText, notProvenLines, type Proof as ProofOfAll, proofLine, type Report } from '../../plan/report';
import { type Element, h } from '../h';
import { Badge, Code, type Mood, Nothing, Section, Table } from '../parts';
import { counted, duration, number } from '../words';

/** How it is known that nothing was lost. */
export function Proof({ verify, proof, cutover, position, rollback }: Report): Element {
  return (
    <Section id="proof" title="Proof">
      {proof ? (
        <p>
          <Badge mood={verdictOf(proof).mood}>{verdictOf(proof).text}</Badge>{' '}
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
      <Coverage proof={proof} />
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
    <div>
      <p>
        <Badge mood={verdictOf(proof).mood}>{verdictOf(proof).text}</Badge> At the rollback:{' '}
        {proofLine(proof, switchedAt, 'rollback')}.
      </p>
      <Coverage proof={proof} />
    </div>
  ) : (
    <Nothing>The rollback is not proven yet.</Nothing>
  );

function verdictOf({ differences, notProvenTables }: ProofOfAll): { mood: Mood; text: string } {
  if (differences.length > 0) return { mood: 'bad', text: 'DIFFERENT' };
  return notProvenTables ? { mood: 'care', text: 'identical, NOT ALL PROVEN' } : { mood: 'good', text: 'identical' };
}

/** What was compared of all that holds rows, and what was not, and why. */
function Coverage({ proof }: { proof: ProofOfAll | undefined }): Element | null {
  if (!proof) return null;
  const text = coverageText(proof);
  const unproven = notProvenLines(proof);
  const { ddlSince = [], ddlChanges = ddlSince.length } = proof;
  return (
    <div>
      {text ? <p>Tables and other relations that hold rows: {text}.</p> : null}
      {unproven.length > 0 ? (
        <Table
          caption="Not proven: what DDL since the cutover made unreadable"
          head={['What']}
          rows={unproven.map((one) => [one])}
        />
      ) : null}
      {ddlChanges > 0 ? (
        <p>
          {counted(ddlChanges, 'definition')} changed since the cutover, which changes nothing of what was compared:{' '}
          {ddlSince.join('; ')}
        </p>
      ) : null}
    </div>
  );
}

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
