import { rewriteEndpoint } from '../../../../activities/traffic/rewrite-endpoint';

const from = { address: 'app-db.abc.eu-central-1.rds.amazonaws.com', port: 5432 };
const to = { address: 'app-db-encrypted.abc.eu-central-1.rds.amazonaws.com', port: 5432 };
const elsewhere = { ...to, port: 6543 };
const OLD = from.address;
const NEW = to.address;

const unchanged = (value: string) => ({ value, replacements: 0 });

describe('an endpoint in text', () => {
  it.each([
    ['the host alone', OLD, NEW],
    ['the host alone, with white space around it', ` ${OLD}\n`, ` ${NEW}\n`],
    ['a URL without a port', `postgres://app:pw@${OLD}/shop`, `postgres://app:pw@${NEW}/shop`],
    ['a DSN without a port', `host=${OLD} dbname=shop`, `host=${NEW} dbname=shop`],
    ['a quoted DSN', `host='${OLD}' port='5432'`, `host='${NEW}' port='5432'`],
    ['a DSN with the port first', `port=5432 host=${OLD}`, `port=5432 host=${NEW}`],
  ])('is pointed at a server on the same port: %s', (_, value, expected) => {
    expect(rewriteEndpoint(value, from, to)).toEqual({ value: expected, replacements: 1 });
  });

  it.each([
    ['host:port', `${OLD}:5432`, `${NEW}:6543`],
    [
      'a URL with password and parameters',
      `postgres://app:p%40ss:w0rd@${OLD}:5432/shop?sslmode=verify-full`,
      `postgres://app:p%40ss:w0rd@${NEW}:6543/shop?sslmode=verify-full`,
    ],
    ['a JDBC URL', `jdbc:postgresql://${OLD}:5432/shop`, `jdbc:postgresql://${NEW}:6543/shop`],
    ['a DSN', `host=${OLD} port=5432 user=app`, `host=${NEW} port=6543 user=app`],
    [
      'a DSN with words between',
      `host=${OLD} user=app dbname=shop port=5432 sslmode=require`,
      `host=${NEW} user=app dbname=shop port=6543 sslmode=require`,
    ],
  ])('is pointed at a server on another port: %s', (_, value, expected) => {
    expect(rewriteEndpoint(value, from, elsewhere)).toEqual({ value: expected, replacements: 1 });
  });

  it('is rewritten as often as it is there', () => {
    const value = `WRITER=${OLD}:5432\nREADER=${OLD}:5432\n`;
    expect(rewriteEndpoint(value, from, elsewhere)).toEqual({
      value: `WRITER=${NEW}:6543\nREADER=${NEW}:6543\n`,
      replacements: 2,
    });
  });

  it('is rewritten in every form in which one value has it', () => {
    const value = `WRITER=${OLD}:5432\nREADER=${OLD}\n`;
    expect(rewriteEndpoint(value, from, to).value).toBe(`WRITER=${NEW}:5432\nREADER=${NEW}\n`);
    expect(() => rewriteEndpoint(value, from, elsewhere)).toThrow('without a port');
  });

  it('is the same afterwards where it is pointed at itself', () => {
    for (const value of [OLD, `${OLD}:5432`, `host=${OLD} port=5432`, JSON.stringify({ host: OLD, port: 5432 })]) {
      expect(rewriteEndpoint(value, from, from)).toEqual({ value, replacements: 1 });
    }
  });

  it('is found no more once it is rewritten', () => {
    for (const value of [`${OLD}:5432`, JSON.stringify({ host: OLD, port: 5432 })]) {
      const { value: rewritten } = rewriteEndpoint(value, from, elsewhere);
      expect(rewriteEndpoint(rewritten, from, elsewhere)).toEqual(unchanged(rewritten));
    }
  });

  it.each([
    ['nothing', ''],
    ['another host', 'other-db.abc.eu-central-1.rds.amazonaws.com:5432'],
    ['a host that ends like it', `my-${OLD}:5432`],
    ['a host below it', `replica.${OLD}:5432`],
    ['a host that begins like it', `${OLD}.example.com:5432`],
    ['a host that begins like it, alone', `${OLD}.example.com`],
    ['a host in which dots are letters', OLD.replaceAll('.', 'x')],
    ['another port', `${OLD}:6432`],
    ['a port that begins like it', `${OLD}:54321`],
    ['another port in a DSN', `host=${OLD} port=6432`],
    ['a port that begins like it, in a DSN', `host=${OLD} port=54321`],
  ])('is not there: %s', (_, value) => {
    expect(rewriteEndpoint(value, from, to)).toEqual(unchanged(value));
    expect(rewriteEndpoint(value, from, elsewhere)).toEqual(unchanged(value));
  });

  it.each([OLD, `postgres://app:geheim@${OLD}/shop`, `host=${OLD} dbname=shop`])(
    'that has no place for another port is refused, without showing the value (%#)',
    (value) => {
      const rewrite = () => rewriteEndpoint(value, from, elsewhere);
      expect(rewrite).toThrow(`it names ${OLD} without a port, but the target listens on 6543 instead of 5432`);
      expect(rewrite).not.toThrow('geheim');
    },
  );
});

describe('an endpoint in JSON', () => {
  const secret = { username: 'app', password: `host=${'x'}"\\`, engine: 'postgres', host: OLD, dbname: 'shop' };

  it.each([
    ['a number', 5432, 6543],
    ['a text', '5432', '6543'],
  ])('as RDS writes it, the port being %s', (_, before, after) => {
    const { value, replacements } = rewriteEndpoint(JSON.stringify({ ...secret, port: before }), from, elsewhere);
    expect(JSON.parse(value)).toEqual({ ...secret, host: NEW, port: after });
    expect(replacements).toBe(1);
  });

  it('is rewritten in URLs beside host and port', () => {
    const before = { host: OLD, port: 5432, url: `postgres://app:pw@${OLD}:5432/shop` };
    expect(JSON.parse(rewriteEndpoint(JSON.stringify(before), from, elsewhere).value)).toEqual({
      host: NEW,
      port: 6543,
      url: `postgres://app:pw@${NEW}:6543/shop`,
    });
  });

  it('is rewritten where only a URL has it', () => {
    const before = { DATABASE_URL: `postgres://app:pw@${OLD}:5432/shop`, workers: 4 };
    expect(JSON.parse(rewriteEndpoint(JSON.stringify(before), from, elsewhere).value)).toEqual({
      DATABASE_URL: `postgres://app:pw@${NEW}:6543/shop`,
      workers: 4,
    });
  });

  it('without a port is rewritten on the same port, and refused on another', () => {
    const value = JSON.stringify({ host: OLD });
    expect(JSON.parse(rewriteEndpoint(value, from, to).value)).toEqual({ host: NEW });
    expect(() => rewriteEndpoint(value, from, elsewhere)).toThrow('without a port');
  });

  it.each([
    ['another host', { ...secret, host: `my-${OLD}`, port: 5432 }],
    ['another port', { ...secret, port: 6432 }],
    ['another port, as text', { ...secret, port: '54321' }],
  ])('is not there: %s', (_, before) => {
    const value = JSON.stringify(before);
    expect(rewriteEndpoint(value, from, to)).toEqual(unchanged(value));
    expect(rewriteEndpoint(value, from, elsewhere)).toEqual(unchanged(value));
  });

  it('that is a list or a text is read as text', () => {
    expect(rewriteEndpoint(`["${OLD}:5432"]`, from, elsewhere).value).toBe(`["${NEW}:6543"]`);
    expect(rewriteEndpoint(`"${OLD}:5432"`, from, elsewhere).value).toBe(`"${NEW}:6543"`);
  });
});
