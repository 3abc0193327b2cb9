import { execFileSync } from 'node:child_process';
import { childEnvironment, exportLines, quoted } from '../../../../local/world/environment';
import { Releasers } from '../../../../local/world/releasers';

describe('Releasers', () => {
  it('undoes the newest first, goes on after a failure, and does it once', async () => {
    const order: string[] = [];
    const lines: string[] = [];
    const releasers = new Releasers((line) => void lines.push(line));
    releasers.add('first', () => void order.push('first'));
    releasers.add('second', async () => {
      throw new Error('stuck');
    });
    releasers.add('third', async () => void order.push('third'));
    await Promise.all([releasers.releaseAll(), releasers.releaseAll()]);
    expect(order).toEqual(['third', 'first']);
    expect(lines).toEqual(['while stopping second: stuck']);
  });
});

describe('the environment of a world', () => {
  it('keeps another AWS and another Temporal out, and nothing else', () => {
    const base = { PATH: '/bin', AWS_PROFILE: 'production', AWS_SESSION_TOKEN: 'x', TEMPORAL_API_KEY: 'x', HOME: '' };
    expect(childEnvironment(base, { AWS_REGION: 'us-east-1' })).toEqual({
      PATH: '/bin',
      HOME: '',
      AWS_REGION: 'us-east-1',
    });
  });

  it.each(['plain', 'with blank', `it's`, '$HOME', '{"a":"b"}', ''])(
    'quotes %j so that a shell reads it back',
    (text) => {
      expect(execFileSync('sh', ['-c', `printf %s ${quoted(text)}`], { encoding: 'utf8' })).toBe(text);
    },
  );

  it('is written as lines that a shell understands', () => {
    const lines = exportLines({ ONE: '1', TWO: 'two words' }, '/some where/temporal');
    const script = `${lines}printf '%s|%s|%s' "$ONE" "$TWO" "$PATH"`;
    const out = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8', env: { PATH: '/bin' } });
    expect(out).toBe('1|two words|/some where:/bin');
  });
});
