import { CreateKeyCommand, DisableKeyCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import { CreateDBInstanceCommand } from '@aws-sdk/client-rds';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { SAMPLE, SAMPLE_PLAN } from '../../local/app/names';
import { describeInstance } from '../../local/app/source';
import { liftThePolicy } from '../../local/app/worker-policy';
import type { World } from '../../local/world/world';
import { everything } from './support/listing';
import { type Ended, gateIsOpen, keyshift, MIGRATION, planFile, sample, untilProgress } from './support/migration';
import { asMaster, awsOf, eventually, inWorld } from './support/worlds';

/** Each is refused before anything is touched, with an error that says what to do. */

let mistakes = 0;

/** Starts a migration with a bad plan and says what the command printed. */
function startWith(world: World, changes: Readonly<Record<string, unknown>>): Promise<Ended> {
  mistakes += 1;
  const id = `mistake-${mistakes}`;
  return keyshift(world, 'start', planFile(world, changes, `${id}.json`), '--id', id);
}

const blocked = (...words: string[]) => ({
  exitCode: 3,
  stderr: expect.stringMatching(
    new RegExp(words.map((word) => `(?=[^]*${word.replaceAll(/[()]/g, String.raw`\$&`)})`).join('')),
  ) as string,
});

test('bad input is refused before anything is touched, and the error says what to do', () =>
  inWorld('bad-input', async (world) => {
    const aws = awsOf(world);
    await sample(world, 200);
    // Its plans name keys, instances and secrets that a worker's policy would not.
    await liftThePolicy(world);
    await world.startWorker();
    await asMaster(world, SAMPLE.instance, 'shop', (client) => client.query('CREATE TABLE bare (value text)'));
    await aws.rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: 'somebody-elses',
        Engine: 'postgres',
        DBInstanceClass: 'db.m6g.large',
        AllocatedStorage: 20,
        MasterUsername: 'postgres',
        MasterUserPassword: 'not-a-real-one',
      }),
    );
    await eventually('the other instance is there', async () => {
      return (await describeInstance(aws, 'somebody-elses'))?.DBInstanceStatus === 'available';
    });
    await aws.secrets.send(
      new CreateSecretCommand({
        Name: 'wrong-password',
        SecretString: JSON.stringify({ username: SAMPLE.masterUser, password: 'wrong' }),
      }),
    );
    const key = async () => (await aws.kms.send(new CreateKeyCommand({}))).KeyMetadata?.KeyId ?? '';
    const [disabled, doomed] = [await key(), await key()];
    // It may be looked at and administered, and used for nothing.
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: 'arn:aws:iam::123456789012:root' },
          Action: ['kms:Describe*', 'kms:Get*', 'kms:Put*', 'kms:List*'],
          Resource: '*',
        },
      ],
    });
    const denied = (await aws.kms.send(new CreateKeyCommand({ Policy }))).KeyMetadata?.KeyId ?? '';
    await aws.kms.send(new DisableKeyCommand({ KeyId: disabled }));
    await aws.kms.send(new ScheduleKeyDeletionCommand({ KeyId: doomed, PendingWindowInDays: 7 }));
    const before = await everything(world);
    const { source, target } = SAMPLE_PLAN;

    expect(await startWith(world, { source: { ...source, instance: 'nowhere' } })).toMatchObject(
      blocked('source-exists (block): There is no DB instance nowhere', 'describe-db-instances'),
    );
    expect(await startWith(world, { source: { ...source, region: 'eu-west-3' } })).toMatchObject(
      blocked('in region eu-west-3'),
    );
    expect(await startWith(world, { target: { ...target, kmsKeyId: 'alias/nowhere' } })).toMatchObject(
      blocked('key-usable (block): There is no KMS key alias/nowhere', 'list-aliases'),
    );
    expect(await startWith(world, { target: { ...target, kmsKeyId: disabled } })).toMatchObject(
      blocked('is disabled', 'enable-key'),
    );
    expect(await startWith(world, { target: { ...target, kmsKeyId: doomed } })).toMatchObject(
      blocked('pending deletion', 'cancel-key-deletion'),
    );
    expect(await startWith(world, { target: { ...target, kmsKeyId: denied } })).toMatchObject(
      blocked('allows kms:CreateGrant to nobody of its account', 'put-key-policy'),
    );
    expect(await startWith(world, { target: { ...target, instance: 'somebody-elses' } })).toMatchObject(
      blocked('target-name (block): A DB instance somebody-elses exists already'),
    );
    expect(await startWith(world, {})).toMatchObject(
      blocked('replica-identity', 'shop: public.bare', 'ALTER TABLE public.bare REPLICA IDENTITY FULL;'),
    );
    expect(await startWith(world, { source: { ...source, secret: 'wrong-password' } })).toMatchObject(
      blocked('source-credentials', 'put-secret-value'),
    );
    const three = await startWith(world, {
      source: { instance: 'app--db', secret: 'app-db-master' },
      target: { instance: SAMPLE.encryptedInstance },
      cutover: { pauseBudgetMs: 1 },
    });
    expect(three).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('3 mistakes') as string });
    for (const path of ['source.instance', 'target.kmsKeyId', 'cutover.pauseBudgetMs'])
      expect(three.stderr).toContain(path);
    expect(three.stderr).not.toContain('    at ');

    // The same, past our own command: the workflow itself refuses.
    await expect(
      world.temporal([
        ...['workflow', 'execute', '--task-queue', 'keyshift', '--type', 'migrateDatabase', '--workflow-id', 'by-hand'],
        ...['--input', JSON.stringify({ source: {}, target: {} })],
      ]),
    ).rejects.toThrow();

    expect(await everything(world)).toEqual(before);

    await asMaster(world, SAMPLE.instance, 'shop', (client) => client.query('DROP TABLE bare'));
    expect(await keyshift(world, 'start', planFile(world), '--id', MIGRATION)).toMatchObject({ exitCode: 0 });
    await untilProgress(world, 'the reboot gate is open', gateIsOpen('reboot-source'));
    const twice = await keyshift(world, 'start', planFile(world), '--id', MIGRATION);
    expect(twice).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('runs already') as string });
  }));
