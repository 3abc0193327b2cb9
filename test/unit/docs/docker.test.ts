import { parse } from 'yaml';
import { read } from './read';

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly target: string };
  readonly user?: string;
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly network_mode?: string;
  readonly volumes?: readonly string[];
}

const { services } = parse(read('docker-compose.yml')) as { services: Record<string, Service> };
const dockerfile = read('Dockerfile');

/** Instructions of a stage of the Dockerfile, comments apart. */
function stage(name: string): string {
  const start = dockerfile.indexOf(` AS ${name}\n`);
  if (start === -1) throw new Error(`no stage ${name}`);
  const end = dockerfile.indexOf('\nFROM ', start);
  return dockerfile.slice(start, end === -1 ? undefined : end);
}

const ours = Object.entries(services).filter(([, { image }]) => image?.startsWith('keyshift-'));

test('without a profile: Temporal, its database and Web UI, and a worker', () => {
  const plain = Object.keys(services).filter((name) => !services[name]?.profiles);
  expect(plain.sort()).toEqual(['temporal', 'temporal-db', 'temporal-ui', 'worker']);
});

test('the embedded AWS comes with the profile local only', () => {
  for (const [name, { profiles, build, environment }] of Object.entries(services)) {
    if (build?.target === 'local' || environment?.['AWS_ENDPOINT_URL'])
      expect([name, profiles]).toEqual([name, ['local']]);
  }
  expect(services['aws']?.build?.target).toBe('local');
});

test('the worker of the embedded AWS and the other one never take each other’s work', () => {
  const [one, other] = [services['worker']?.environment, services['worker-local']?.environment];
  expect(one?.['TEMPORAL_NAMESPACE']).not.toBe(other?.['TEMPORAL_NAMESPACE']);
  expect(one).not.toHaveProperty('AWS_ENDPOINT_URL');
});

test('what listens on 127.0.0.1 of the embedded AWS is used from its own network', () => {
  expect(services['worker-local']?.network_mode).toBe('service:aws');
  expect(services['aws-port']?.network_mode).toBe('service:aws');
});

test.each(ours)('%s does not run as root', (_name, { user }) => {
  expect(user).toBe('node');
});

test.each(['worker', 'local'])('the image %s does not run as root', (name) => {
  expect(stage(name)).toMatch(/^USER node$/m);
  expect(stage(name).indexOf('USER node')).toBeLessThan(stage(name).indexOf('\nCMD '));
});

test('ports are published on 127.0.0.1 only, each once', () => {
  const published = Object.values(services).flatMap(({ ports }) => ports ?? []);
  for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  const outside = published.map((port) => port.split(':')[1]);
  expect(new Set(outside).size).toBe(outside.length);
});

test('images are pinned to a release', () => {
  for (const { image } of Object.values(services)) expect(image).toMatch(/:\d+\.\d+(\.\d+)?$/);
  expect(dockerfile).toMatch(/^ARG NODE_IMAGE=node:20\.\d+\.\d+-bookworm$/m);
});

test('the image of the worker has production dependencies and built code, no checkout', () => {
  expect(stage('worker')).toContain('--from=production-dependencies /app/node_modules');
  expect(stage('worker')).toContain('--from=build /app/dist');
  expect(stage('worker')).not.toMatch(/COPY (local|activities|workflows|plan|test)\b/);
});

test('the health check asks the port that the worker is told to use', () => {
  expect(stage('worker')).toMatch(/KEYSHIFT_HEALTH_PORT=\d+/);
  expect(stage('worker')).toContain('process.env.KEYSHIFT_HEALTH_PORT}/healthz');
});

test('no password in the file is one of ours', () => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) {
    expect(services['worker']?.environment?.[name]).toBeNull();
  }
});
