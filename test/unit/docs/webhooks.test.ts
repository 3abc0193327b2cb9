import { execFileSync } from 'node:child_process';
import { signatureOf } from '../../../activities/webhooks/sign';
import { read } from './read';

const KEY = 'key é';
const BODY = '{"event":"traffic.switch","note":"é"}';

const snippet = (language: string): string => {
  const [, code] = new RegExp('```' + language + '\\n([\\s\\S]*?)```').exec(read('docs/webhooks.md')) ?? [];
  return code ?? '';
};

/** Headers of a request that was signed now, or wrongly. */
const headers = (change: Record<string, string> = {}, at = Math.floor(Date.now() / 1_000)) => ({
  'keyshift-timestamp': String(at),
  'keyshift-signature': signatureOf(KEY, String(at), BODY),
  ...change,
});
const LATE = Math.floor(Date.now() / 1_000) - 3_600;
const CASES: [string, Record<string, string>, boolean][] = [
  ['right', headers(), true],
  [
    'signed with another key',
    headers({ 'keyshift-signature': signatureOf('other', headers()['keyshift-timestamp'], BODY) }),
    false,
  ],
  ['of another time than signed', headers({ 'keyshift-timestamp': String(LATE + 3_500) }), false],
  ['too old', headers({}, LATE), false],
  ['without headers', { 'keyshift-timestamp': '', 'keyshift-signature': '' }, false],
];

describe('the snippets of docs/webhooks.md', () => {
  it.each(CASES)('accept what is right, and nothing else: %s (Node)', (_, given, expected) => {
    const code = `${snippet('js')}\nprocess.stdout.write(String(isFromKeyshift(${JSON.stringify(KEY)}, ${JSON.stringify(given)}, Buffer.from(${JSON.stringify(BODY)}))));`;
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })).toBe(
      String(expected),
    );
  });

  it.each(CASES)('accept what is right, and nothing else: %s (Python)', (_, given, expected) => {
    const text = (value: string) => `bytes.fromhex('${Buffer.from(value).toString('hex')}')`;
    const code = `${snippet('python')}\nimport json\nprint(is_from_keyshift(${text(KEY)}, json.loads(${text(JSON.stringify(given))}), ${text(BODY)}))`;
    expect(execFileSync('python3', ['-c', code], { encoding: 'utf8' }).trim()).toBe(expected ? 'True' : 'False');
  });
});
