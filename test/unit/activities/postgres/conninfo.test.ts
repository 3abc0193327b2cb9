import fc from 'fast-check';
import { conninfo } from '../../../../activities/postgres/conninfo';

const parts = {
  address: 'app-db.abc.rds.amazonaws.com',
  port: 5432,
  username: 'keyshift_m',
  password: 'plain',
  database: 'shop',
  bundle: '/rdsdbdata/rds-metadata/ca-cert.pem',
};

/** Reads a connection string by libpq's rules for quoted values (conninfo_parse). */
function parse(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, key, value] of text.matchAll(/(\w+)='((?:[^'\\]|\\.)*)'(?: |$)/gs)) {
    found[key as string] = (value as string).replaceAll(/\\(.)/gs, '$1');
  }
  return found;
}

describe('the connection string of a subscription', () => {
  it('verifies the server in full', () => {
    expect(conninfo(parts)).toBe(
      "host='app-db.abc.rds.amazonaws.com' port='5432' dbname='shop' user='keyshift_m' password='plain' " +
        "sslmode='verify-full' sslrootcert='/rdsdbdata/rds-metadata/ca-cert.pem' connect_timeout='10'",
    );
  });

  it('gives every value back as it was, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (password, database) => {
        const read = parse(conninfo({ ...parts, password, database }));
        expect(read).toMatchObject({ password, dbname: database, sslmode: 'verify-full', user: parts.username });
        expect(Object.keys(read)).toHaveLength(8);
      }),
    );
  });

  it('does not let a value become a setting', () => {
    const text = conninfo({ ...parts, password: "x' sslmode='disable", database: "a\\' host='evil" });
    expect(parse(text)).toMatchObject({ sslmode: 'verify-full', host: parts.address });
  });
});
