import type { ToolSource } from '../../../../local/tools/find-tool';
import { findPgBouncer, pgbouncerSources } from '../../../../local/tools/pgbouncer';
import { packageOf, parseDependencies } from '../../../../local/tools/pgbouncer/debian-packages';
import { silently } from '../../../../local/tools/report';

function source(name: string, outcome: string | Error | undefined): ToolSource {
  return {
    name,
    remedy: `fix ${name}`,
    async find() {
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  };
}

const probe = async (path: string): Promise<string> => (path.includes('old') ? '1.9.0' : '1.18.0');

describe('findPgBouncer', () => {
  it('looks at what the user has, what we have, and what can be fetched, in this order', () => {
    expect(pgbouncerSources('/nowhere').map(({ name }) => name)).toEqual([
      'KEYSHIFT_PGBOUNCER',
      'PATH',
      'cache',
      'Debian package',
    ]);
  });

  it('moves on when a source fails, has none, or has one that is too old', async () => {
    const sources = [source('a', new Error('no')), source('b', undefined), source('c', '/old'), source('d', '/new')];
    await expect(findPgBouncer({ sources, probe, report: silently })).resolves.toEqual({
      path: '/new',
      version: '1.18.0',
      source: 'd',
    });
  });

  it('lists what was tried, why it failed and what to install when all fail', async () => {
    const sources = [source('a', undefined), source('b', new Error('no network')), source('c', '/old')];
    const failure = await findPgBouncer({ sources, probe, report: silently }).catch((error: Error) => error.message);
    expect(failure).toMatch(
      /a: not there[^]*fix a[^]*b: no network[^]*fix b[^]*c: \/old is 1\.9\.0.*at least[^]*fix c/,
    );
  });
});

describe('the libraries of a Debian package', () => {
  it('are those that it depends on, but for the C library', () => {
    const field = 'lsb-base (>= 3.1), libc-ares2 (>= 1.12), libc6 (>= 2.36), libevent-2.1-7t64 | libevent7, libssl3';
    expect(parseDependencies(`${field}\n`)).toEqual(['libc-ares2', 'libevent-2.1-7t64', 'libssl3']);
  });

  it.each([
    ['libcares.so.2', 'libc-ares2'],
    ['libevent-2.1.so.7', 'libevent-2.1-7t64'],
    ['libssl.so.3', 'libssl3'],
    ['libunheard-of.so.1', 'libssl3'],
  ])('%s is in %s', (library, expected) => {
    expect(packageOf(library, ['libssl3', 'libc-ares2', 'libevent-2.1-7t64'])).toBe(expected);
  });

  it('end where none is left', () => {
    expect(packageOf('libcares.so.2', [])).toBeUndefined();
  });
});
