import { checkPlan } from '../../../plan/parse-plan';
import { SMALLEST_PLAN } from '../../support/plan';

const problems = (entry: unknown): string => {
  const checked = checkPlan({ ...SMALLEST_PLAN, cutover: { traffic: [entry] } });
  return 'problems' in checked ? JSON.stringify(checked.problems) : '';
};
const webhook = (url: string) => ({ type: 'webhook', url, secret: 'key' });

it.each([
  ['x', 'is not a URL'],
  ['http://flags.example.com/', 'has to begin with https://'],
  ['https://user:word@flags.example.com/', 'holds a user or a password'],
  ['https://token@flags.example.com/', 'holds a user or a password'],
])('a plan with the endpoint %s is refused: it %s', (url, message) => {
  expect(problems(webhook(url))).toContain(message);
});

it.each(['https://flags.example.com/x', 'http://127.0.0.1:8080/', 'http://[::1]/'])(
  'a plan may have the endpoint %s',
  (url) => expect(problems(webhook(url))).toBe(''),
);

describe('a plan that renames the instances', () => {
  const rename = (more: object = {}, cutover: object = {}, behind: object[] = []) => {
    const traffic = [{ type: 'rds-rename', ...more }, ...behind];
    const checked = checkPlan({ ...SMALLEST_PLAN, cutover: { traffic, ...cutover } });
    return 'problems' in checked ? checked.problems.map(({ path, message }) => `${path} ${message}`).join('\n') : '';
  };
  const POOLER = { host: 'pooler.internal', secret: 'pgbouncer-admin' };

  it.each([
    ['alone', {}, []],
    ['with another name for the source', { sourceBecomes: 'app-db-2025' }, []],
    ['with what keeps the endpoint behind it', {}, [webhook('https://flags.example.com/'), { type: 'manual' }]],
  ])('is taken %s', (_, more, behind) => expect(rename(more, {}, behind)).toBe(''));

  it('is taken with PgBouncer, whose entries stay', () => {
    const cutover = { poolers: [POOLER], fence: [{ type: 'pgbouncer' }] };
    expect(rename({}, cutover, [{ type: 'pgbouncer' }])).toBe('');
    expect(rename({}, cutover, [{ type: 'pgbouncer', file: 'databases.ini' }])).toContain('cutover.traffic.1.file');
  });

  it.each([
    [{ type: 'ssm-parameter', name: '/app' }],
    [{ type: 'secrets-manager', secret: 'app' }],
    [{ type: 'route53', hostedZoneId: 'Z0', name: 'db.example.com' }],
    [{ type: 'rds-proxy', proxy: 'app' }],
  ])('is refused with a switch that rewrites the endpoint: %j', (entry) =>
    expect(rename({}, {}, [entry])).toMatch(/cutover.traffic.1 is not possible with rds-rename/),
  );

  it('is refused behind another switch, twice, and with the fence of a proxy', () => {
    expect(problems({ type: 'rds-rename' })).toBe('');
    const traffic = [{ type: 'manual' }, { type: 'rds-rename' }];
    const checked = checkPlan({ ...SMALLEST_PLAN, cutover: { traffic } });
    expect(JSON.stringify(checked)).toContain('has to be the first');
    expect(rename({}, {}, [{ type: 'rds-rename' }])).toContain('rds-rename is named twice');
    expect(rename({}, { fence: [{ type: 'rds-proxy', proxy: 'app' }] })).toContain(
      'cutover.fence.0 is not possible with rds-rename',
    );
  });

  it.each([
    ['app-db', 'is what the source is called now'],
    ['APP-DB-encrypted', 'is the name of the target'],
    ['old_db', 'is not a DB instance identifier'],
  ])('is refused with the name %s for the source: it %s', (sourceBecomes, message) =>
    expect(rename({ sourceBecomes })).toContain(`cutover.traffic.0.sourceBecomes ${message}`),
  );

  it('asks for a name where that of the source is too long for another ending', () => {
    const instance = 'a'.repeat(60);
    const source = { ...SMALLEST_PLAN.source, instance };
    const checked = checkPlan({ ...SMALLEST_PLAN, source, cutover: { traffic: [{ type: 'rds-rename' }] } });
    expect(JSON.stringify(checked)).toContain('is longer than 63 characters');
  });
});
