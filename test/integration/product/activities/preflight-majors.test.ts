import { type Check, CHECK_CODES } from '../../../../plan/checks';
import { ActivityLab, migrationRef } from '../../../support/activity-lab';
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
