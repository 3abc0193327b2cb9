import { CreateAliasCommand, CreateKeyCommand } from '@aws-sdk/client-kms';
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, PutParameterCommand } from '@aws-sdk/client-ssm';
import { CreateHostedZoneCommand } from '@aws-sdk/client-route-53';
import { redLines } from '../../../../plan/board';
import { awsName } from '../../../../plan/names';
import { ActivityLab, type Elsewhere, migrationRef } from '../../../support/activity-lab';
import {
  captureAndClone,
  createApplication,
  DATABASES,
  subscribe,
  writeOrders,
} from '../../../support/migration-steps';
import { findMoto, Moto } from '../../../support/moto';
import { SMALLEST_PLAN } from '../../../support/plan';
import { MASTER } from '../../../support/stand-in';

/**
 * What the product believes of KMS, Secrets Manager, SSM and the like, the embedded AWS believes, too: the same hands wrote both. Here moto answers for all
 * services that know nothing of instances. RDS, EC2, IAM and CloudWatch stay: their ids, policies and figures are those of the instances.
 */
const SERVICES: readonly Elsewhere[] = ['kms', 'secrets', 'ssm', 'sts', 'logs', 'route53', 's3'];
const PARAMETER = '/app/database';
const FETCH_MS = 300_000;

const found = findMoto();
if ('missing' in found) console.warn(`another-stand-in is skipped: moto could not be fetched (${found.missing})`);

let lab: ActivityLab;
let moto: Moto | undefined;

beforeAll(async () => {
  if ('missing' in found) return;
  [moto, lab] = await Promise.all([Moto.start(found.program), ActivityLab.open('16')]);
  const { kms: here } = lab.aws();
  lab.answerElsewhere(moto.endpoint, SERVICES);
  const { kms, route53 } = lab.aws();
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ KeyUsage: 'ENCRYPT_DECRYPT' }));
  const KeyId = KeyMetadata?.KeyId ?? '';
  await kms.send(new CreateAliasCommand({ AliasName: SMALLEST_PLAN.target.kmsKeyId, TargetKeyId: KeyId }));
  // RDS looks a key up where it is itself.
  await here.send(new CreateKeyCommand({ Tags: [{ TagKey: '_custom_id_', TagValue: KeyId }] }));
  await lab.secret(SMALLEST_PLAN.source.secret, MASTER.MasterUsername, MASTER.MasterUserPassword);
  await route53.send(new CreateHostedZoneCommand({ Name: 'example.test', CallerReference: 'one' }));
}, FETCH_MS);
afterAll(async () => {
  await lab?.close();
  await moto?.stop();
});

('missing' in found ? it.skip : it)(
  'a migration from the preflight to the proof, with another stand-in for all that is not RDS',
  async () => {
    await createApplication(lab);
    const { ssm, secrets } = lab.aws();
    const address = async (instance: string) => {
      const { Endpoint } = await lab.standIn.instance(instance);
      return `${Endpoint?.Address}:${Endpoint?.Port}`;
    };
    await ssm.send(new PutParameterCommand({ Name: PARAMETER, Type: 'String', Value: await address('app-db') }));
    const ref = migrationRef({
      ...SMALLEST_PLAN,
      databases: [...DATABASES],
      cutover: { pauseBudgetMs: 20_000, traffic: [{ type: 'ssm-parameter', name: PARAMETER }] },
      soak: { wayBack: 'none' },
    });
    const { checks } = await lab.run('runPreflight', ref);
    expect(checks.filter(({ level, code }) => level === 'block' && code !== 'full-identity-equality')).toEqual([]);
    const steps = await captureAndClone(lab, ref);
    await expect(
      secrets.send(new GetSecretValueCommand({ SecretId: awsName(ref.id, 'replication') })),
    ).resolves.toMatchObject({ SecretString: expect.stringContaining('password') as string });
    await subscribe(lab, steps);
    await lab.run('applySettings', ref);
    await writeOrders(lab, 'before the pause');
    await lab.run('waitForCatchUp', steps.input);
    const { fence, lines } = await lab.run('readGoNoGo', steps.input);
    expect(redLines(lines)).toEqual([]);
    await lab.run('preparePause', steps.input);
    const result = await lab.run('cutOver', { ...steps.input, fence });
    if (!result.switched) throw new Error(result.reason);
    const { Parameter } = await ssm.send(new GetParameterCommand({ Name: PARAMETER }));
    expect(Parameter?.Value).toBe(await address(SMALLEST_PLAN.target.instance));
    await expect(
      lab.run('proveContents', {
        ...steps.input,
        targetSnapshots: result.targetSnapshots,
        ...(result.sourceSnapshots ? { sourceSnapshots: result.sourceSnapshots } : {}),
      }),
    ).resolves.toMatchObject({ differences: [] });
    await lab.run('removeReplication', { ...steps.input, serving: 'target' });
  },
);
