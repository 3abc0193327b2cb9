/**
 * The load generator, a process of its own: transactions at a given rate by connections that reconnect, and nothing else that could hold up
 * its clock. Started by `LoadGenerator`; talks by messages.
 */
import { SSMClient } from '@aws-sdk/client-ssm';
import { setTimeout as sleep } from 'node:timers/promises';
import { Doorman } from '../../local/app/doorman';
import { ParameterEndpoint, splitEndpoint, type EndpointSource } from '../../local/app/endpoint';
import { CommitUnknown, Session } from '../../local/app/session';
import type { LoadFigures, LoadMessage, LoadOptions } from './load-generator';

/** Between two attempts to connect. */
const BACKOFF_MS = 25;

const options = JSON.parse(process.argv[2] ?? '{}') as LoadOptions;
const doorman = new Doorman();
let stopping = false;
let transactions = 0;
let figures: LoadFigures = nothing();
/** Of any connection. */
let lastAt: number | undefined;

function nothing(): LoadFigures {
  return { acknowledged: 0, errors: 0, longestGapMs: 0, worstLatencyMs: 0 };
}

function acknowledged(startedAt: number): void {
  const now = performance.now();
  transactions += 1;
  const gap = now - (lastAt ?? now);
  lastAt = now;
  figures = {
    ...figures,
    acknowledged: figures.acknowledged + 1,
    longestGapMs: Math.max(figures.longestGapMs, gap),
    worstLatencyMs: Math.max(figures.worstLatencyMs, now - startedAt),
  };
}

const failed = (): void => {
  figures = { ...figures, errors: figures.errors + 1 };
};

function endpoints(): EndpointSource {
  const { endpoint } = options;
  if (typeof endpoint === 'string') return { current: async () => endpoint, refresh: async () => endpoint };
  const { aws, parameter } = endpoint;
  return new ParameterEndpoint(new SSMClient({ ...aws, credentials: CREDENTIALS }), parameter);
}

const CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };

async function connection(index: number, source: EndpointSource): Promise<void> {
  const everyMs = (1000 * options.connections) / options.rate;
  const database = options.databases[index % options.databases.length] ?? '';
  let session: Session | undefined;
  let ask: 'current' | 'refresh' = 'current';
  let next = performance.now() + (everyMs * index) / options.connections;
  while (!stopping) {
    if (!session || session.isLost) {
      session = await doorman.enter(
        async () => {
          try {
            const where = splitEndpoint(await source[ask]());
            const { user, password, ca } = options;
            const tls = ca === undefined ? {} : { ca };
            return await Session.open({ ...where, user, password, database, applicationName: 'bench', ...tls });
          } catch (error) {
            failed();
            throw error;
          } finally {
            ask = 'refresh';
          }
        },
        BACKOFF_MS,
        () => stopping,
      );
      if (!session) return;
    }
    await sleep(Math.max(0, next - performance.now()));
    next = Math.max(next + everyMs, performance.now());
    await transact(session, index);
  }
  session?.close();
}

async function transact(session: Session, index: number): Promise<void> {
  const startedAt = performance.now();
  const transaction = session.begin();
  try {
    await session.transact(async () => {
      await transaction.query(`INSERT INTO orders (note) VALUES ($1)`, [`connection ${index}`]);
      await transaction.query('UPDATE stock SET units = units + 1 WHERE id = $1', [1 + (index % 100)]);
    });
    acknowledged(startedAt);
  } catch (error) {
    failed();
    if (!(error instanceof CommitUnknown) && session.isLost) return;
    session.close();
  }
}

const say = (message: LoadMessage): void => void process.send?.(message);

async function main(): Promise<void> {
  const source = endpoints();
  const loops = Array.from({ length: options.connections }, (_, index) => connection(index, source));
  process.on('message', (message: LoadMessage) => {
    if (message.what === 'mark') {
      figures = nothing();
      say({ what: 'mark' });
    }
    if (message.what === 'stop') {
      stopping = true;
      void Promise.all(loops).then(() => {
        say({ what: 'stop', figures });
        process.disconnect();
        process.exit(0);
      });
    }
  });
  process.on('disconnect', () => process.exit(1));
  // Full speed: each connection has had its turn some times.
  while (transactions < options.rate && !stopping) await sleep(20);
  say({ what: 'ready' });
}

void main();
