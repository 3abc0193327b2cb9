import {
  entriesOf,
  namesAmongOthers,
  namesServer,
  rewriteEntries,
} from '../../../../activities/traffic/pgbouncer/entries';

const from = { address: 'app-db.abc.eu-central-1.rds.amazonaws.com', port: 5432 };
const to = { address: 'app-db-encrypted.abc.eu-central-1.rds.amazonaws.com', port: 5432 };
const elsewhere = { ...to, port: 6543 };
const [OLD, NEW] = [from.address, to.address];
const all = () => true;

const rewrite = (text: string, target = elsewhere, wanted: (name: string) => boolean = all) =>
  rewriteEntries(text, from, target, wanted);

describe('entries of PgBouncer', () => {
  it.each([
    ['host and port', `shop = host=${OLD} port=5432 dbname=shop`, `shop = host=${NEW} port=6543 dbname=shop`],
    ['no white space', `shop=host=${OLD} port=5432`, `shop=host=${NEW} port=6543`],
    ['the port first', `shop = port=5432 dbname=shop host=${OLD}`, `shop = port=6543 dbname=shop host=${NEW}`],
    ['the port that is the default', `shop = host=${OLD} dbname=shop`, `shop = host=${NEW} port=6543 dbname=shop`],
    ['quotes', `shop = host='${OLD}' port='5432'`, `shop = host=${NEW} port=6543`],
    ['a name in quotes', `"my ""own"" shop" = host=${OLD}`, `"my ""own"" shop" = host=${NEW} port=6543`],
    ['every other name', `* = host=${OLD} auth_user=pgbouncer`, `* = host=${NEW} port=6543 auth_user=pgbouncer`],
    ['another case', `shop = host=${OLD.toUpperCase()}`, `shop = host=${NEW} port=6543`],
    [
      'other parameters that look like it',
      `shop = dbname=host user='a ''host=${OLD}''' host=${OLD} connect_query='SELECT ''port=5432''' pool_size=20`,
      `shop = dbname=host user='a ''host=${OLD}''' host=${NEW} port=6543 connect_query='SELECT ''port=5432''' pool_size=20`,
    ],
  ])('are pointed at another server: %s', (_, line, expected) => {
    expect(rewrite(`[databases]\n${line}\n`).text).toBe(`[databases]\n${expected}\n`);
  });

  it('have no port where it is the default on both sides', () => {
    expect(rewrite(`shop = host=${OLD}\n`, to).text).toBe(`shop = host=${NEW}\n`);
    expect(rewrite(`shop = host=${OLD} port=5432\n`, to).text).toBe(`shop = host=${NEW} port=5432\n`);
  });

  it.each([
    ['a comment', `;shop = host=${OLD}`],
    ['another comment', `# shop = host=${OLD}`],
    ['another port', `shop = host=${OLD} port=5433`],
    ['another server', `shop = host=x${OLD}`],
    ['a socket', 'shop = dbname=shop'],
    ['one of several hosts', `shop = host=${OLD},other.example.com`],
    ['an include', '%include databases.ini'],
  ])('stay what they are: %s', (_, line) => {
    expect(rewrite(`[databases]\n${line}\n`)).toEqual({ text: `[databases]\n${line}\n`, rewritten: [] });
  });

  it('are those of the section, or before the first one, and everything else stays byte by byte', () => {
    const text = (host: string, port: number) =>
      `first = host=${host} port=${port}\n[pgbouncer]\r\nlisten_addr = ${OLD}\nshop = host=${OLD}\n\n\t[databases] \n  shop = host=${host} port=${port}\t\n;x\n[users]\nshop = host=${OLD}`;
    const rewritten = rewrite(text(OLD, 5432));
    expect(rewritten).toEqual({ text: text(NEW, 6543), rewritten: ['first', 'shop'] });
  });

  it('are only those that are wanted', () => {
    const { text, rewritten } = rewrite(`a = host=${OLD}\nb = host=${OLD}\n`, to, (name) => name === 'b');
    expect(text).toBe(`a = host=${OLD}\nb = host=${NEW}\n`);
    expect(rewritten).toEqual(['b']);
  });

  it('are what they were when they are pointed back', () => {
    const text = `[databases]\na = host=${OLD} port=5432 dbname=x\n* = port=5432 host=${OLD}\n`;
    expect(rewriteEntries(rewrite(text).text, elsewhere, from, all).text).toBe(text);
  });

  it('are listed with what they name', () => {
    const [one, two, three] = entriesOf(`a = host=${OLD}\n"b b" = host=x,${OLD} port=1\nc = dbname=c\n`);
    expect(one).toMatchObject({ name: 'a', host: OLD, port: 5432 });
    expect(two).toMatchObject({ name: 'b b', port: 1 });
    expect(three).toMatchObject({ name: 'c', host: undefined });
    expect([one, two, three].map((entry) => entry && namesServer(entry, from))).toEqual([true, false, false]);
    expect([one, two, three].map((entry) => entry && namesAmongOthers(entry, from))).toEqual([false, true, false]);
  });
});
