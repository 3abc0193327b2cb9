import type { CreateBlueGreenDeploymentCommandInput } from '@aws-sdk/client-rds';
import { read } from './read';

/** It does not compile where the API has no such fields. */
const ENCRYPTING = {
  BlueGreenDeploymentName: 'encrypt-app-db',
  Source: 'arn:aws:rds:eu-central-1:123456789012:db:app-db',
  TargetResourceConfigurations: [
    { SourceArn: 'arn:aws:rds:eu-central-1:123456789012:db:app-db', TargetKmsKeyId: 'alias/app-db' },
  ],
} satisfies CreateBlueGreenDeploymentCommandInput;

test('the fields that the README names are in the API', () => {
  const [configuration] = ENCRYPTING.TargetResourceConfigurations;
  const readme = read('README.md');
  for (const name of ['TargetResourceConfigurations', ...Object.keys(configuration ?? {})]) {
    expect(readme).toContain(name);
  }
});

test('the README says on its first screen that AWS has a way of its own, and when it is better', () => {
  const screen = read('README.md').split('\n').slice(0, 30).join('\n');
  expect(screen).toContain('Since 2026-09-29 RDS has a way of its own');
  expect(screen).toContain('It is the better choice');
});
