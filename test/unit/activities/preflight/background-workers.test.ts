import { judgeWorkers } from '../../../../activities/preflight/neighbours/background-workers';

const worker = (type: string, database: string | null = 'app') => ({ type, database });

describe('background workers, which no fence stops', () => {
  it.each([
    ['pglogical apply 16384:2875150205', 'block'],
    ['pgactive apply worker for 7 in 16384', 'block'],
    ['pg_partman dynamic background worker', 'warn'],
    ['somebody new', 'warn'],
    ['pg_cron launcher', 'ok'],
    ['pg_wait_sampling collector', 'ok'],
  ])('%s: %s', (type, level) => {
    expect(judgeWorkers([worker(type)])).toMatchObject({ level, message: expect.stringContaining(type) as string });
  });

  it('lets one pass that is connected to no database', () => {
    expect(judgeWorkers([worker('somebody new', null)]).level).toBe('ok');
  });

  it('names those that stop it, by the worst, and leaves the harmless out', () => {
    const found = judgeWorkers([worker('pg_cron launcher'), worker('somebody new'), worker('pglogical apply 1:2')]);
    expect(found.level).toBe('block');
    expect(found.message).toMatch(/^2 background workers .*pglogical apply 1:2 in app.*/);
    expect(found.message).not.toContain('pg_cron launcher');
    expect(found.remedy).toContain('alter_subscription_disable');
  });

  it('is green without any', () => {
    expect(judgeWorkers([])).toMatchObject({ level: 'ok', message: 'no extension has a background worker' });
  });
});
