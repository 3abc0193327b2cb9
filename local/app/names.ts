/** What the sample application is called in AWS. */
export const SAMPLE = {
  instance: 'app-db',
  encryptedInstance: 'app-db-encrypted',
  masterUser: 'postgres',
  masterSecret: 'app-db-master',
  appSecret: 'app-db-app',
  /** Login of the pooler's admin console, where the demo has a pooler. */
  poolerSecret: 'app-db-pooler',
  endpointParameter: '/app-db/endpoint',
  keyAlias: 'alias/app-db',
} as const;

/** The smallest plan that moves the sample application. */
export const SAMPLE_PLAN = {
  source: { instance: SAMPLE.instance, secret: SAMPLE.masterSecret },
  target: { instance: SAMPLE.encryptedInstance, kmsKeyId: SAMPLE.keyAlias },
  cutover: { traffic: [{ type: 'ssm-parameter', name: SAMPLE.endpointParameter }] },
} as const;
