import type { Major } from '../../postgres/binaries';
import { MAJORS, versionOf } from '../../postgres/binaries';
import { AwsError } from '../errors';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import { LOG_TYPES } from './instance-settings';
import type { RdsCall } from './request';

/** The version that an instance gets if the request names none. */
const DEFAULT_MAJOR: Major = 16;

/** Finds the version that a request means: `16`, `16.14`, or none. */
export function resolveEngineVersion(requested: string | undefined): {
  readonly major: Major;
  readonly version: string;
} {
  const major = requested === undefined ? DEFAULT_MAJOR : MAJORS.find((one) => one === Number(requested.split('.')[0]));
  const version = major === undefined ? undefined : versionOf(major);
  if (major === undefined || version === undefined || (requested?.includes('.') && requested !== version)) {
    throw new AwsError('InvalidParameterCombination', `Cannot find version ${requested} for postgres`);
  }
  return { major, version };
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBEngineVersions.html */
export function describeDBEngineVersions({ parameters, region }: RdsCall): Answer {
  const filters = readFilters(parameters, [
    'db-parameter-group-family',
    'engine',
    'engine-mode',
    'engine-version',
    'status',
  ]);
  const engine = parameters.text('Engine');
  const version = parameters.text('EngineVersion');
  const family = parameters.text('DBParameterGroupFamily');
  const defaultOnly = parameters.flag('DefaultOnly') ?? false;
  const wanted = MAJORS.map((major) => ({ major, version: versionOf(major) })).filter(
    (one) =>
      (engine === undefined || engine === 'postgres') &&
      (version === undefined || [one.version, String(one.major)].includes(version)) &&
      (family === undefined || family === `postgres${one.major}`) &&
      (!defaultOnly || version !== undefined || family !== undefined || one.major === DEFAULT_MAJOR) &&
      (filters.get('engine')?.includes('postgres') ?? true) &&
      (filters.get('engine-version')?.includes(one.version) ?? true) &&
      (filters.get('db-parameter-group-family')?.includes(`postgres${one.major}`) ?? true),
  );
  const page = paginate(parameters, wanted, (one) => one.version);
  return {
    DBEngineVersions: page.items.map((one) => versionShape(region, one.major, one.version)),
    Marker: page.marker,
  };
}

function versionShape(region: string, major: Major, version: string): Answer {
  return {
    Engine: 'postgres',
    MajorEngineVersion: String(major),
    EngineVersion: version,
    DBParameterGroupFamily: `postgres${major}`,
    DBEngineDescription: 'PostgreSQL',
    DBEngineVersionDescription: `PostgreSQL ${version}-R1`,
    DBEngineVersionArn: `arn:aws:rds:${region}::dbengineversion:postgres/${version}`,
    // The stand-in can't upgrade an instance.
    ValidUpgradeTarget: [],
    ExportableLogTypes: [...LOG_TYPES],
    SupportsLogExportsToCloudwatchLogs: true,
    SupportsReadReplica: true,
    SupportedFeatureNames: [],
    Status: 'available',
    SupportsParallelQuery: false,
    SupportsGlobalDatabases: false,
    SupportsBabelfish: false,
    SupportsCertificateRotationWithoutRestart: true,
    SupportedCACertificateIdentifiers: ['rds-ca-rsa2048-g1', 'rds-ca-ecc384-g1', 'rds-ca-rsa4096-g1'],
    SupportsLocalWriteForwarding: false,
    SupportsIntegrations: false,
  };
}
