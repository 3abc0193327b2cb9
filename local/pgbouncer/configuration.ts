import { renameSync, writeFileSync } from 'node:fs';
import type { Login, ServerAddress } from '../app/databases';

/** The files of a pooler, all in one folder and named relative to it: PgBouncer runs there. */
export const FILES = {
  settings: 'pgbouncer.ini',
  /** Entries of `[databases]` and nothing else, so that it can be rewritten by whoever switches traffic. */
  databases: 'databases.ini',
  users: 'userlist.txt',
  ca: 'server-ca.pem',
} as const;

/** What clients may ask for, and which server has it under the same name. */
export type Databases = Readonly<Record<string, Pick<ServerAddress, 'host' | 'port'>>>;

export interface Settings {
  readonly port: number;
  readonly admin: Login;
  /** Whether servers must show a certificate that goes back to `FILES.ca`, for the name that they are called by. */
  readonly verifyServers: boolean;
  /** More settings, and others than these. */
  readonly more?: Readonly<Record<string, string | number>>;
}

/** `pgbouncer.ini`: a pool of transactions, as applications use one that want to be moved. */
export function settingsFile({ port, admin, verifyServers, more }: Settings): string {
  const settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    // No socket in a folder that others use.
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: FILES.users,
    admin_users: admin.user,
    pool_mode: 'transaction',
    max_client_conn: 500,
    default_pool_size: 20,
    // What drivers send at the start and PgBouncer doesn't know. Clients have time limits of their own.
    ignore_startup_parameters: 'extra_float_digits, statement_timeout, options',
    // By default 15 s pass after a failed connection before the next is tried; a database that restarts is back long before.
    server_login_retry: 0.2,
    server_tls_sslmode: verifyServers ? 'verify-full' : 'disable',
    ...(verifyServers ? { server_tls_ca_file: FILES.ca } : {}),
    ...more,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  return `%include ${FILES.databases}\n\n[pgbouncer]\n${lines.join('\n')}\n`;
}

/** The entries of `[databases]`. */
export function databasesFile(databases: Databases): string {
  const entries = Object.entries(databases).map(([name, { host, port }]) => {
    return `${name} = host=${host} port=${port} dbname=${name}`;
  });
  return `[databases]\n${entries.join('\n')}\n`;
}

/** Puts other entries in the place of a file; readers see the old ones or the new ones. */
export function rewriteDatabases(file: string, databases: Databases): void {
  writeFileSync(`${file}.new`, databasesFile(databases));
  renameSync(`${file}.new`, file);
}

/** Whoever may log in to the pooler; by the same password it logs in to the servers. */
export function usersFile(logins: readonly Login[]): string {
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  return logins.map(({ user, password }) => `${quoted(user)} ${quoted(password)}\n`).join('');
}
