import { type Check, CHECK_CODES } from '../../../../plan/checks';
import { accessTo, queryRows, withSession } from '../../../../activities/postgres/session';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
import { withEventTriggers } from '../../../support/event-triggers';
import { CHECK_CASES } from '../../../support/check-cases';
import { SMALLEST_PLAN } from '../../../support/plan';

const inSql = (code: Check['code']) => /findings\.test|judgements/.test(CHECK_CASES[code]);

/** Catalogs differ: 13 is the oldest that we know, 15 the first with versions of a database's own collation. */
it.each(['13', '14', '15', '17'])('every question is one that PostgreSQL %s can answer', async (major) => {
  const lab = await ActivityLab.open(major);
  try {
    await lab.sql(SMALLEST_PLAN.source.instance, 'CREATE TABLE events (what text, doc json)');
    const { checks } = await lab.run('runPreflight', migrationRef());
    const found = checks.filter(({ code }) => inSql(code));
    expect(found.filter(({ message }) => message.startsWith('This could not be checked'))).toEqual([]);
    expect(found.filter(({ level }) => level !== 'ok').map(({ code }) => code)).toEqual(['replica-identity']);
    expect(CHECK_CODES.filter((code) => inSql(code) && !found.some((check) => check.code === code))).toEqual([]);
  } finally {
    await lab.close();
  }
});

it('an event trigger on login that writes blocks, and locks nobody of ours out where read-only is the default', async () => {
  const lab = await ActivityLab.open('17');
  try {
    const { instance } = SMALLEST_PLAN.source;
    for (const statement of [
      'CREATE TABLE logins (id bigserial PRIMARY KEY, who text)',
      `CREATE FUNCTION note_login() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.logins (who) VALUES (session_user); END $$`,
      'CREATE EVENT TRIGGER "Logins" ON login EXECUTE FUNCTION note_login()',
    ])
      await lab.sql(instance, withEventTriggers(statement));
    await lab.sql(instance, 'ALTER DATABASE postgres SET default_transaction_read_only = on');
    await expect(lab.sql(instance, 'SELECT 1')).rejects.toThrow('read-only transaction');
    const { checks } = await lab.run('runPreflight', migrationRef());
    expect(checks.find(({ code }) => code === 'event-triggers')).toMatchObject({
      level: 'block',
      message: expect.stringContaining('postgres: "Logins" on login calls public.note_login') as string,
      remedy: expect.stringContaining('ALTER EVENT TRIGGER "Logins" DISABLE;') as string,
    });
    await lab.run('createAccess', migrationRef());
    const [role] = await withSession(
      await accessTo(lab.dependencies, migrationRef(), 'source'),
      { step: 'test', database: 'postgres' },
      (session) =>
        queryRows<{ set: string[] }>(session, `SELECT rolconfig AS set FROM pg_roles WHERE rolname LIKE 'keyshift%'`),
    );
    expect(role?.set).toContain('default_transaction_read_only=off');
  } finally {
    await lab.close();
  }
});
