import { MAJORS, versionOf } from '../../postgres/binaries';
import { paginate, readFilters } from '../pagination';
import type { Answer } from '../query-protocol';
import type { RdsCall } from './request';

/** Classes that can be had, some of what AWS offers for PostgreSQL; those of generation 4 and older are gone, as there. */
const FAMILIES = ['t3', 't4g', 'm5', 'm6g', 'm6i', 'm7g', 'm7i', 'r5', 'r6g', 'r6i', 'r7g', 'r7i', 'x2g'];
const BURSTABLE_SIZES = ['micro', 'small', 'medium', 'large', 'xlarge', '2xlarge'];
const SIZES = ['large', 'xlarge', '2xlarge', '4xlarge', '8xlarge', '12xlarge', '16xlarge', '24xlarge'];
const STORAGE_TYPES = ['gp2', 'gp3', 'io1', 'io2'];

/** Every class. */
export function orderableClasses(): string[] {
  return FAMILIES.flatMap((family) =>
    (family.startsWith('t') ? BURSTABLE_SIZES : SIZES).map((size) => `db.${family}.${size}`),
  );
}

/** https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeOrderableDBInstanceOptions.html */
export function describeOrderableDBInstanceOptions({ parameters, region }: RdsCall): Answer {
  readFilters(parameters, []);
  const engine = parameters.required('Engine');
  const version = parameters.text('EngineVersion');
  const wantedClass = parameters.text('DBInstanceClass');
  const versions = MAJORS.flatMap((major) => versionOf(major) ?? []).filter(
    (one) => engine === 'postgres' && (version === undefined || one === version || one.split('.')[0] === version),
  );
  const classes = orderableClasses().filter((one) => wantedClass === undefined || one === wantedClass);
  const all = versions.flatMap((one) =>
    classes.flatMap((name) => STORAGE_TYPES.map((storage) => ({ version: one, name, storage }))),
  );
  const page = paginate(parameters, all, (one) => `${one.version} ${one.name} ${one.storage}`);
  return {
    OrderableDBInstanceOptions: page.items.map((one) => ({
      Engine: 'postgres',
      EngineVersion: one.version,
      DBInstanceClass: one.name,
      LicenseModel: 'postgresql-license',
      AvailabilityZones: ['a', 'b'].map((zone) => ({ Name: `${region}${zone}` })),
      MultiAZCapable: true,
      ReadReplicaCapable: true,
      Vpc: true,
      SupportsStorageEncryption: true,
      StorageType: one.storage,
      SupportsIops: one.storage !== 'gp2',
      SupportsStorageThroughput: one.storage === 'gp3',
      SupportsEnhancedMonitoring: true,
      SupportsIAMDatabaseAuthentication: true,
      SupportsPerformanceInsights: true,
      MinStorageSize: 20,
      MaxStorageSize: 65536,
      AvailableProcessorFeatures: [],
      SupportedEngineModes: ['provisioned'],
      SupportsStorageAutoscaling: true,
      SupportsKerberosAuthentication: true,
      OutpostCapable: false,
      SupportedActivityStreamModes: [],
      SupportsGlobalDatabases: false,
      SupportedNetworkTypes: ['IPV4', 'DUAL'],
      SupportsClusters: false,
    })),
    Marker: page.marker,
  };
}
