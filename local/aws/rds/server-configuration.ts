import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Major } from '../../postgres/binaries';
import { createServerCertificate } from '../../postgres/certificates';
import { formatLsn, parseLsn } from '../../postgres/control-file';
import { SEED_LSN_SETTING } from '../../postgres/rds-tools';
import type { ServerPlaces } from '../../postgres/server';
import { ADMIN_ROLE } from '../../postgres/server';
import type { ServerAccount } from '../../postgres/unprivileged';
import { giveTo } from '../../postgres/unprivileged';
import type { Places } from '../places';
import type { InstanceSwitches } from '../state';
import type { InstanceRecord, ParameterGroupRecord } from './model';
import type { Admitted } from './network-rules';
import { REPLICA_ROLE, replicaSettings } from './replication';
import { parametersOfMajor, systemValueOf } from './parameter-catalog';

/** Where the parts of an instance lie. */
export interface InstancePlaces extends ServerPlaces {
  readonly home: string;
  readonly tlsDir: string;
}

/** Long enough to tell instances apart, short enough for the path of a socket. */
const SOCKET_NAME_LENGTH = 8;

/** The directories of an instance, named by its resource id, which outlives a renaming. */
export function placesOf(places: Places, instance: Pick<InstanceRecord, 'resourceId'>): InstancePlaces {
  const home = join(places.serversDir, instance.resourceId);
  return {
    home,
    dataDir: join(home, 'data'),
    logDir: join(home, 'log'),
    tlsDir: join(home, 'tls'),
    // Instances may have the same port, and a socket is named by it.
    socketDir: join(places.socketDir, instance.resourceId.slice(-SOCKET_NAME_LENGTH)),
  };
}

/** The values of a group that differ from the engine's own, as the server shall get them. */
export function effectiveParameters(major: Major, group: ParameterGroupRecord | undefined): Record<string, string> {
  const values: Record<string, string> = {};
  for (const definition of parametersOfMajor(major)) {
    const value = group?.values[definition.name]?.value ?? systemValueOf(definition, major);
    const isFormula = value !== undefined && /^\w*\(?\{/.test(value);
    const isUntouched = group?.values[definition.name] === undefined;
    const effective = isFormula || isUntouched ? (definition.formulaValue ?? value) : value;
    if (effective !== undefined && !/^\w*\(?\{/.test(effective)) values[definition.name] = effective;
  }
  return values;
}

/** Makes the directories of an instance and its certificate, unless they are there. */
export async function prepareInstanceHome(places: Places, instance: InstanceRecord): Promise<void> {
  const { home, logDir, tlsDir, socketDir } = placesOf(places, instance);
  for (const directory of [home, logDir, join(logDir, 'error'), tlsDir, socketDir]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
  if (!existsSync(join(tlsDir, 'server.key'))) await renewCertificate(places, instance);
  giveTo(places.account, home);
  giveTo(places.account, socketDir);
}

/** Makes a certificate for where the instance is now. Its server takes it with the next start. */
export async function renewCertificate(places: Places, instance: InstanceRecord): Promise<void> {
  const { tlsDir } = placesOf(places, instance);
  const authority = {
    certificatePem: readFileSync(join(places.stateDir, 'ca.pem'), 'utf8'),
    privateKeyPem: readFileSync(join(places.stateDir, 'ca.key'), 'utf8'),
  };
  const certificate = await createServerCertificate(authority, 'localhost', instance.address);
  writeOwned(join(tlsDir, 'server.crt'), certificate.certificatePem, places.account);
  writeOwned(join(tlsDir, 'server.key'), certificate.privateKeyPem, places.account);
}

/** Writes `postgresql.conf` and `pg_hba.conf` anew from what the instance runs with. */
export function writeConfiguration(
  places: Places,
  instance: InstanceRecord,
  switches: InstanceSwitches,
  admitted: Admitted,
  primary?: InstanceRecord,
): void {
  const { dataDir } = placesOf(places, instance);
  writeOwned(join(dataDir, 'postgresql.conf'), serverSettings(places, instance, switches, primary), places.account);
  writeOwned(join(dataDir, 'pg_hba.conf'), hostRules(instance.activeParameters, admitted), places.account);
  writeOwned(join(dataDir, 'pg_ident.conf'), '', places.account);
}

function serverSettings(
  places: Places,
  instance: InstanceRecord,
  switches: InstanceSwitches,
  primary: InstanceRecord | undefined,
): string {
  const { logDir, tlsDir, socketDir } = placesOf(places, instance);
  const values = instance.activeParameters;
  const settings: Record<string, string> = {
    ...Object.fromEntries(Object.entries(values).filter(([name]) => !name.startsWith('rds.'))),
    shared_preload_libraries: loadableLibraries(values['shared_preload_libraries'] ?? ''),
    wal_level: values['rds.logical_replication'] === '1' ? 'logical' : 'replica',
    'rds.logical_replication': values['rds.logical_replication'] === '1' ? 'on' : 'off',
    'rds.force_ssl': values['rds.force_ssl'] === '1' ? 'on' : 'off',
    'rds.allowed_extensions': values['rds.allowed_extensions'] ?? '*',
    [SEED_LSN_SETTING]: seedLsn(instance, switches),
    ...(primary ? replicaSettings(placesOf(places, primary).socketDir, primary, instance) : {}),
    port: String(instance.port),
    listen_addresses: instance.address ?? '127.0.0.1',
    unix_socket_directories: socketDir,
    unix_socket_permissions: '0700',
    ssl: 'on',
    ssl_cert_file: join(tlsDir, 'server.crt'),
    ssl_key_file: join(tlsDir, 'server.key'),
    ssl_ca_file: places.serverCaBundle,
    logging_collector: 'on',
    log_destination: 'stderr',
    log_directory: join(logDir, 'error'),
    log_filename: 'postgresql.log.%Y-%m-%d-%H',
    log_file_mode: '0640',
    log_timezone: 'UTC',
    log_truncate_on_rotation: 'off',
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'\n`)
    .join('');
}

/** Libraries of RDS that no package has; the stand-in does itself what they do (`CronRunner`), or nothing. */
const NOT_HERE = new Set(['pg_cron', 'pg_partman_bgw']);

/** The server doesn't start with a library that isn't there. */
const loadableLibraries = (value: string): string =>
  value
    .split(',')
    .map((one) => one.trim())
    .filter((one) => !NOT_HERE.has(one))
    .join(',');

/** What `rds_tools.logical_seed_lsn()` answers: nothing on an instance that wasn't restored; a wrong position if a test wants it. */
function seedLsn(instance: InstanceRecord, switches: InstanceSwitches): string {
  if (instance.seedLsn === undefined) return '';
  return formatLsn(parseLsn(instance.seedLsn) + BigInt(switches.seedLsnOffset ?? 0));
}

/** How instances reach each other: as members of `rds_replication`, from the address that this machine has for itself. */
const BETWEEN_INSTANCES = '+rds_replication 127.0.0.1/32';

/**
 * As on RDS: the database `rdsadmin` and its role are for the service alone, with `rds.force_ssl` nobody gets in without TLS, and nobody at all whom the
 * security groups don't let in. The method md5 asks for SCRAM where the stored password is one for it, and takes older passwords, too. What instances send each other is let through in any case: they have no addresses of their own that a rule could name. Members of `rds_iam` are asked for a token, as there.
 */
function hostRules(parameters: Readonly<Record<string, string>>, admitted: Admitted): string {
  const forceSsl = parameters['rds.force_ssl'] === '1';
  const method = parameters['rds.accepted_password_auth_method'] === 'scram' ? 'scram-sha-256' : 'md5';
  const whom = admitted === 'everybody' ? ['all all'] : [BETWEEN_INSTANCES, ...admitted.map((range) => `all ${range}`)];
  return [
    `local all ${ADMIN_ROLE} trust`,
    `local replication ${REPLICA_ROLE} trust`,
    'local all all reject',
    `host replication ${REPLICA_ROLE} all reject`,
    `host all ${ADMIN_ROLE} all reject`,
    // In clear text, as RDS's pam asks; there is none that would do.
    'hostssl all +rds_iam all password',
    `host ${ADMIN_ROLE} all all reject`,
    ...(forceSsl ? ['hostssl'] : ['hostssl', 'hostnossl']).flatMap((kind) =>
      whom.flatMap((one) => [`${kind} all ${one} ${method}`, `${kind} replication ${one} ${method}`]),
    ),
    '',
  ].join('\n');
}

function writeOwned(path: string, text: string, account: ServerAccount | undefined): void {
  writeFileSync(path, text, { mode: 0o600 });
  chmodSync(path, 0o600);
  if (account) chownSync(path, account.uid, account.gid);
}
