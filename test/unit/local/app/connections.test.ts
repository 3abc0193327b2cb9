import type { SSMClient } from '@aws-sdk/client-ssm';
import { Doorman } from '../../../../local/app/doorman';
import { ParameterEndpoint, splitEndpoint } from '../../../../local/app/endpoint';

describe('Doorman', () => {
  it('lets one knock while nobody is let in, and the others in once one got in', async () => {
    const doorman = new Doorman();
    let open = false;
    let attempts = 0;
    let atOnce = 0;
    let most = 0;
    const attempt = async (): Promise<string> => {
      attempts += 1;
      most = Math.max(most, (atOnce += 1));
      await new Promise((resolve) => setTimeout(resolve, 2));
      atOnce -= 1;
      if (!open) throw new Error('shut');
      return 'in';
    };
    // The first to come find the door shut together; from then on one knocks for all.
    await doorman.enter(attempt, 1, () => attempts > 0);
    most = 0;
    const entering = Promise.all(Array.from({ length: 8 }, () => doorman.enter(attempt, 1, () => false)));
    while (attempts < 20) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(most).toBe(1);
    open = true;
    await expect(entering).resolves.toEqual(Array(8).fill('in'));
  });

  it('gives up when stopped', async () => {
    let attempts = 0;
    const attempt = async (): Promise<never> => {
      attempts += 1;
      throw new Error('shut');
    };
    await expect(new Doorman().enter(attempt, 1, () => attempts >= 3)).resolves.toBeUndefined();
  });
});

describe('ParameterEndpoint', () => {
  it('reads once for all who ask at the same time, and again for those who ask later', async () => {
    let reads = 0;
    const send = async (): Promise<unknown> => ({ Parameter: { Value: `host:${(reads += 1)}` } });
    const endpoint = new ParameterEndpoint({ send } as unknown as SSMClient, '/name');
    await expect(Promise.all([endpoint.current(), endpoint.refresh(), endpoint.refresh()])).resolves.toEqual(
      Array(3).fill('host:1'),
    );
    await expect(endpoint.current()).resolves.toBe('host:1');
    await expect(endpoint.refresh()).resolves.toBe('host:2');
  });
});

describe('splitEndpoint', () => {
  it('splits at the last colon', () => {
    expect(splitEndpoint('db.example.com:5432')).toEqual({ host: 'db.example.com', port: 5432 });
    expect(splitEndpoint('::1:5432')).toEqual({ host: '::1', port: 5432 });
  });

  it.each(['', 'host', ':5432', 'host:x'])('refuses "%s"', (text) => {
    expect(() => splitEndpoint(text)).toThrow('host:port');
  });
});
