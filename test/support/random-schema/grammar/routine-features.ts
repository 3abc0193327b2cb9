import type { Draft, DraftTable, Feature } from '../draft';
import { body, ident, qualified } from '../sql';
import { tableFor } from './table-features';

const nameOf = (draft: Draft): string => ident(draft.names.next());
const trigger = (name: string, add: Feature['add'], more: Partial<Feature> = {}): Feature => ({
  name: `trigger: ${name}`,
  add,
  ...more,
});
const rule = (name: string, add: Feature['add']): Feature => ({ name: `rule: ${name}`, add });

/** A table that keeps what happened, and a function that writes it. */
function log(
  draft: Draft,
  key = 'id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,',
): { table: string; write: string } {
  const [table, write] = [draft.place(), draft.place()];
  draft.run(
    `CREATE TABLE ${table.label} (${key} what text, at timestamptz DEFAULT clock_timestamp())`,
    `CREATE FUNCTION ${write.label}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS ${body(
      `BEGIN INSERT INTO ${table.label} (what) VALUES (TG_OP || ' ' || TG_WHEN || ' ' || TG_LEVEL); IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END`,
    )}`,
  );
  return { table: table.label, write: write.label };
}

const logging = (name: string, events: string, enabled?: string): Feature =>
  trigger(name, (draft) => {
    const one = tableFor(draft);
    const [made, { write }] = [nameOf(draft), log(draft)];
    draft.run(`CREATE TRIGGER ${made} ${events.replace('%', one.label)} EXECUTE FUNCTION ${write}()`);
    if (enabled !== undefined) draft.run(`ALTER TABLE ${one.label} ${enabled} TRIGGER ${made}`);
  });

/** Triggers, rules, and what they call. */
export const ROUTINE_FEATURES: readonly Feature[] = [
  trigger('writes to a table without a key', (draft) => {
    const [one, made, { table, write }] = [tableFor(draft), nameOf(draft), log(draft, '')];
    draft.run(`CREATE TRIGGER ${made} AFTER INSERT OR UPDATE ON ${one.label} FOR EACH ROW EXECUTE FUNCTION ${write}()`);
    draft.marks.set('logged', one.label).set('log', table);
  }),
  logging('writes to another table', 'AFTER INSERT OR UPDATE OR DELETE ON % FOR EACH ROW'),
  logging('per statement', 'AFTER TRUNCATE OR INSERT ON % FOR EACH STATEMENT'),
  logging('ENABLE ALWAYS', 'AFTER INSERT OR UPDATE ON % FOR EACH ROW', 'ENABLE ALWAYS'),
  logging('ENABLE REPLICA', 'AFTER INSERT ON % FOR EACH ROW', 'ENABLE REPLICA'),
  logging('disabled', 'BEFORE INSERT ON % FOR EACH ROW', 'DISABLE'),
  trigger('changes its row', (draft) => {
    const one = tableFor(draft, ({ identity }) => identity === 'key');
    const [write, stamp] = [draft.place(), draft.names.next()];
    draft.run(
      `ALTER TABLE ${one.label} ADD COLUMN ${ident(stamp)} timestamptz`,
      `CREATE FUNCTION ${write.label}() RETURNS trigger LANGUAGE plpgsql AS ${body(`BEGIN NEW.${ident(stamp)} := clock_timestamp(); RETURN NEW; END`)}`,
      `CREATE TRIGGER ${nameOf(draft)} BEFORE INSERT OR UPDATE ON ${one.label} FOR EACH ROW EXECUTE FUNCTION ${write.label}()`,
    );
  }),
  trigger('constraint trigger, deferred', (draft) => {
    const [one, { write }] = [tableFor(draft), log(draft)];
    draft.run(
      `CREATE CONSTRAINT TRIGGER ${nameOf(draft)} AFTER INSERT ON ${one.label} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ${write}()`,
    );
  }),
  trigger('with transition tables and a condition', (draft) => {
    const [one, sums, write] = [tableFor(draft), draft.place(), draft.place()];
    draft.run(
      `CREATE TABLE ${sums.label} (id bigserial PRIMARY KEY, rows bigint)`,
      `CREATE FUNCTION ${write.label}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS ${body(`BEGIN INSERT INTO ${sums.label} (rows) SELECT count(*) FROM now_there; RETURN NULL; END`)}`,
      `CREATE TRIGGER ${nameOf(draft)} AFTER INSERT ON ${one.label} REFERENCING NEW TABLE AS now_there FOR EACH STATEMENT WHEN (pg_trigger_depth() < 2) EXECUTE FUNCTION ${write.label}()`,
    );
  }),
  trigger('INSTEAD OF on a view', (draft) => {
    const [view, base, write] = [draft.place(), draft.place(), draft.place()];
    draft.run(
      `CREATE TABLE ${base.label} (id bigserial PRIMARY KEY, note text)`,
      `CREATE VIEW ${view.label} AS SELECT upper(note) AS note FROM ${base.label}`,
      `CREATE FUNCTION ${write.label}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS ${body(`BEGIN INSERT INTO ${base.label} (note) VALUES (NEW.note); RETURN NEW; END`)}`,
      `CREATE TRIGGER ${nameOf(draft)} INSTEAD OF INSERT ON ${view.label} FOR EACH ROW EXECUTE FUNCTION ${write.label}()`,
    );
    draft.traffic.push((random) => `INSERT INTO ${view.label} VALUES ('by the view ${random.below(99)}')`);
  }),
  trigger('of an event', (draft) => {
    const [write, name] = [draft.place(), draft.names.next()];
    draft.run(
      `CREATE FUNCTION ${write.label}() RETURNS event_trigger LANGUAGE plpgsql AS ${body('BEGIN RAISE DEBUG $$%$$, tg_tag; END')}`,
      `CREATE EVENT TRIGGER ${ident(name)} ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION ${write.label}()`,
    );
  }),
  rule('ALSO', (draft) => {
    const [base, also] = [draft.place(), draft.place()];
    draft.run(
      `CREATE TABLE ${base.label} (id bigserial PRIMARY KEY, note text)`,
      `CREATE TABLE ${also.label} (id bigserial PRIMARY KEY, note text)`,
      `CREATE RULE ${nameOf(draft)} AS ON INSERT TO ${base.label} DO ALSO INSERT INTO ${also.label} (note) VALUES ('by a rule')`,
    );
    draft.traffic.push((random) => `INSERT INTO ${base.label} (note) VALUES ('ruled ${random.below(99)}')`);
  }),
  rule('INSTEAD, with a condition', (draft) => {
    const { label } = draft.place();
    draft.run(
      `CREATE TABLE ${label} (id integer PRIMARY KEY, kept boolean DEFAULT false)`,
      `INSERT INTO ${label} SELECT generate_series(1, 40)`,
      `CREATE RULE ${nameOf(draft)} AS ON DELETE TO ${label} WHERE OLD.id < 20 DO INSTEAD UPDATE ${label} SET kept = true WHERE id = OLD.id`,
    );
    draft.traffic.push((random) => `DELETE FROM ${label} WHERE id = ${1 + random.below(60)}`);
    draft.traffic.push((random) => `INSERT INTO ${label} VALUES (${1 + random.below(60)})`);
  }),
  {
    name: 'rule: enabled always',
    add: (draft) => {
      const [base, also, made] = [draft.place(), draft.place(), nameOf(draft)];
      draft.run(
        `CREATE TABLE ${base.label} (id bigserial PRIMARY KEY, note text)`,
        `CREATE TABLE ${also.label} (id bigserial PRIMARY KEY, note text)`,
        `CREATE RULE ${made} AS ON INSERT TO ${base.label} DO ALSO INSERT INTO ${also.label} (note) VALUES ('always')`,
        `ALTER TABLE ${base.label} ENABLE ALWAYS RULE ${made}`,
      );
      draft.traffic.push((random) => `INSERT INTO ${base.label} (note) VALUES ('ruled ${random.below(99)}')`);
    },
  },
  { name: 'routine: procedure, aggregate and operator', add: (draft) => addRoutines(draft) },
  {
    name: 'routine: overloads and defaults',
    add: (draft) => {
      const { label } = draft.place();
      draft.run(
        `CREATE FUNCTION ${label}(a integer, b text DEFAULT 'it''s', VARIADIC c integer[] DEFAULT '{}') RETURNS TABLE (x integer, y text) LANGUAGE sql STABLE AS ${body('SELECT a, b')}`,
        `CREATE FUNCTION ${label}(INOUT a text) LANGUAGE plpgsql SET work_mem = '8MB' SET search_path FROM CURRENT AS ${body('BEGIN a := a || 1; END')}`,
      );
    },
  },
  {
    name: 'routine: body of standard SQL',
    since: 14,
    add: (draft) => {
      const { label } = draft.place();
      draft.run(`CREATE FUNCTION ${label}(n integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN n * 2`);
    },
  },
];

function addRoutines(draft: Draft): boolean {
  // An operator's name is made of few signs: one is enough.
  if (draft.marks.has('operator')) return false;
  draft.marks.set('operator', '===');
  const one: DraftTable = tableFor(draft);
  const [procedure, last, pick, schema] = [draft.place(), draft.place(), draft.place(), draft.schema()];
  draft.run(
    `CREATE PROCEDURE ${procedure.label}() LANGUAGE plpgsql AS ${body(`BEGIN PERFORM count(*) FROM ${one.label}; COMMIT; END`)}`,
    `CREATE FUNCTION ${last.label}(anyelement, anyelement) RETURNS anyelement LANGUAGE sql IMMUTABLE AS ${body('SELECT $2')}`,
    `CREATE AGGREGATE ${pick.label}(anyelement) (SFUNC = ${last.label}, STYPE = anyelement)`,
    `CREATE FUNCTION ${qualified(schema, `${draft.names.next(6)} same`)}(integer, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS ${body('SELECT $1::text = $2')}`,
  );
  const operands = draft.place();
  draft.run(
    `CREATE FUNCTION ${operands.label}(integer, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS ${body('SELECT $1::text = $2')}`,
    `CREATE OPERATOR ${ident(schema)}.=== (FUNCTION = ${operands.label}, LEFTARG = integer, RIGHTARG = text)`,
  );
  return true;
}
