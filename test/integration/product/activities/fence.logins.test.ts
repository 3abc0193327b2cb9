import type { Client } from 'pg';
import { PauseGivenUp } from '../../../../activities/cutover/cut-over-input';
import { foreignSessions, terminateForeignSessions } from '../../../../activities/cutover/fence';
import { untilLoginsAreDecided } from '../../../../activities/cutover/late-logins';
import { waitFor } from '../../../../local/world/wait-for';
import { ActivityLab } from '../../../support/activity-lab';

const SPARED = { migration: 'fenced', roles: ['master'] };
let lab: ActivityLab;
/** As rds_superuser is: may end sessions, but is no superuser. */
let operator: Client;

const opened: Client[] = [];
async function connect(user: string, password: string | (() => Promise<string>)): Promise<Client> {
  const client = await lab.standIn.connect('app-db', { user, password });
  opened.push(client);
  return client;
}

beforeAll(async () => {
  lab = await ActivityLab.open('18');
  await lab.sql(
    'app-db',
    `CREATE ROLE app LOGIN PASSWORD 'app-password';
     CREATE ROLE operator LOGIN PASSWORD 'operator-password' IN ROLE rds_superuser`,
  );
  operator = await connect('operator', 'operator-password');
});
afterAll(async () => {
  for (const client of opened) await client.end().catch(() => undefined);
  await lab?.close();
});

/** PostgreSQL 18 shows a login from its beginning; only a superuser could end it, and the statement would fail with it. */
it('leaves a login that is under way alone until it is a session, and waits for it', async () => {
  let answer: (password: string) => void = () => undefined;
  const password = new Promise<string>((resolve) => (answer = resolve));
  const login = connect('app', () => password);
  const seen = () =>
    lab.sql('app-db', `SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND usesysid IS NULL`);
  await waitFor('the login is seen', async () => (await seen()).length > 0, { everyMs: 20 });

  await expect(terminateForeignSessions(operator, SPARED)).resolves.toEqual([]);
  const impatient = () => {
    throw new PauseGivenUp('the budget ended');
  };
  await expect(untilLoginsAreDecided(operator, impatient)).rejects.toThrow(
    /^the budget ended; logins from before the fence came to no end: server process \d+$/,
  );

  const decided = untilLoginsAreDecided(operator, () => undefined);
  answer('app-password');
  await Promise.all([login, decided]);
  await expect(foreignSessions(operator, SPARED)).resolves.toMatchObject([{ user: 'app' }]);
  await expect(terminateForeignSessions(operator, SPARED)).resolves.toHaveLength(1);
  await waitFor('it is gone', async () => (await foreignSessions(operator, SPARED)).length === 0);
});
