/** Parts of a libpq connection string. */
export interface ConninfoParts {
  readonly address: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly database: string;
  /** Path, on the server that connects, of the bundle against which it verifies the other's certificate. */
  readonly bundle: string;
}

/** Quotes a value of a connection string: single quotes, backslash before quote and backslash. */
const quote = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/**
 * Connection string with which a subscription reaches its publisher: TLS, verified in full.
 * @see https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE
 */
export function conninfo(parts: ConninfoParts): string {
  return Object.entries({
    host: parts.address,
    port: String(parts.port),
    dbname: parts.database,
    user: parts.username,
    password: parts.password,
    sslmode: 'verify-full',
    sslrootcert: parts.bundle,
    connect_timeout: '10',
  })
    .map(([key, value]) => `${key}=${quote(value)}`)
    .join(' ');
}
