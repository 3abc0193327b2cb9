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

it('refuses what this version cannot do', () => {
  expect(problems({ type: 'rds-rename' })).toContain('is not in this version');
});
