import { rootCertificates } from 'node:tls';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfiguration } from '../../../worker/configuration';

const directory = mkdtempSync(join(tmpdir(), 'keyshift-configuration-'));
const bundle = join(directory, 'bundle.pem');
writeFileSync(bundle, rootCertificates[0] ?? '');
afterAll(() => rmSync(directory, { recursive: true }));
const read = (env: NodeJS.ProcessEnv) => readConfiguration({ KEYSHIFT_RDS_CA_BUNDLE: bundle, ...env });

test('a worker without a version has none', () => {
  expect(read({}).deployment).toBeUndefined();
});

test('a version is a deployment name and a build id', () => {
  expect(read({ TEMPORAL_DEPLOYMENT_NAME: 'keyshift', TEMPORAL_WORKER_BUILD_ID: '0.2.0' }).deployment).toEqual({
    deploymentName: 'keyshift',
    buildId: '0.2.0',
  });
});

test('secrets that are not tagged are listed by use', () => {
  expect(read({}).releasedSecrets).toEqual({ pooler: [], webhook: [] });
  expect(read({ KEYSHIFT_POOLER_SECRETS: 'one, arn:aws:secretsmanager:eu-west-1:1:secret:two-AbCdEf,' })).toMatchObject(
    {
      releasedSecrets: { pooler: ['one', 'arn:aws:secretsmanager:eu-west-1:1:secret:two-AbCdEf'], webhook: [] },
    },
  );
});

test.each([
  [{ TEMPORAL_DEPLOYMENT_NAME: 'keyshift' }, 'the second is not set'],
  [{ TEMPORAL_WORKER_BUILD_ID: '0.2.0' }, 'the first is not set'],
  [{ KEYSHIFT_RDS_CA_BUNDLE: '' }, 'KEYSHIFT_RDS_CA_BUNDLE is not set'],
  [{ KEYSHIFT_RDS_CA_BUNDLE: join(directory, 'nowhere') }, "can't be read"],
  [{ KEYSHIFT_RDS_CA_BUNDLE: __filename }, 'is not a PEM bundle'],
  [{ KEYSHIFT_HEALTH_PORT: 'eighty' }, 'KEYSHIFT_HEALTH_PORT is not a port: "eighty"'],
])('a mistake in the environment says which variable it is in: %j', (env, message) => {
  expect(() => read(env)).toThrow(message);
});
