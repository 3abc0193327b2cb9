import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { PutParameterCommand } from '@aws-sdk/client-ssm';
import { join, relative } from 'node:path';
import type { Aws } from '../app/aws';
import type { Login } from '../app/databases';
import { SAMPLE } from '../app/names';
import { DATABASES } from '../app/schema';
import { addressOf, describeInstance, newPassword, readLogin } from '../app/source';
import { REPOSITORY } from '../tools/paths';
import { findPgBouncer } from '../tools/pgbouncer';
import type { Report } from '../tools/report';
import { childEnvironment } from '../world/environment';
import type { World } from '../world/world';
import { Pooler } from './pooler';

/** User of the admin console. */
const ADMIN = 'keyshift_pooler';

/**
 * Puts PgBouncer in front of the sample application's database, as a team has it: the application's endpoint is the pooler's, and the login
 * of its console is in Secrets Manager. It ends with the world.
 */
export async function startSamplePooler(world: World, aws: Aws, report: Report): Promise<Pooler> {
  const [{ path, version }, source, app] = await Promise.all([
    findPgBouncer({ report }),
    describeInstance(aws, SAMPLE.instance),
    readLogin(aws, SAMPLE.appSecret),
  ]);
  if (!source) throw new Error(`${SAMPLE.instance} is not there`);
  const { host, port, ca } = addressOf(source, world.caBundle);
  const admin: Login = { user: ADMIN, password: newPassword() };
  const pooler = await Pooler.start({
    program: path,
    folder: join(world.root, 'pgbouncer'),
    logFile: join(world.logs, 'pgbouncer.log'),
    registry: world.registry,
    env: childEnvironment(process.env, {}),
    databases: Object.fromEntries(DATABASES.map((name) => [name, { host, port }])),
    users: [app],
    admin,
    ...(ca ? { ca } : {}),
  });
  world.onStop('PgBouncer', () => pooler.stop());
  const SecretString = JSON.stringify({ username: admin.user, password: admin.password });
  // Keyshift takes no other secret to a pooler.
  const Tags = [{ Key: 'keyshift:use', Value: 'pooler' }];
  await aws.secrets.send(new CreateSecretCommand({ Name: SAMPLE.poolerSecret, SecretString, Tags }));
  const endpoint = { Name: SAMPLE.endpointParameter, Type: 'String', Value: pooler.endpoint, Overwrite: true } as const;
  await aws.ssm.send(new PutParameterCommand(endpoint));
  report(
    `PgBouncer ${version} on ${pooler.endpoint} is in front of ${SAMPLE.instance}; the application knows only that`,
  );
  return pooler;
}

/** The part of a plan that pauses and switches at the pooler; paths are relative to the worker's working directory. */
export function poolerCutover(pooler: Pooler): Record<string, unknown> {
  return {
    poolers: [{ host: pooler.host, port: pooler.port, secret: SAMPLE.poolerSecret, tls: 'off' }],
    fence: [{ type: 'pgbouncer' }],
    traffic: [{ type: 'pgbouncer', file: relative(REPOSITORY, pooler.databasesFile) }],
  };
}
