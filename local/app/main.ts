/**
 * The sample application: `node --import tsx local/app/main.ts --notes <file> [--connections 8] [--rate 200] [--pooled]`.
 * `--pooled`: the endpoint is a pooler on this machine: no TLS to it, and every transaction asks which server it runs on.
 * Prints `{"ready":true}` when it writes, and its totals when it has stopped (SIGTERM). SIGUSR2 writes the notes out and prints
 * the totals so far.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { messageOf } from '../tools/report';
import { waitFor } from '../world/wait-for';
import { Aws } from './aws';
import { ParameterEndpoint } from './endpoint';
import { SAMPLE } from './names';
import { NoteBook } from './notes';
import { readLogin } from './source';
import { Writer } from './writer';

const say = (message: object): void => {
  process.stdout.write(`${JSON.stringify(message)}\n`);
};

function need(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: source .keyshift/local.env`);
  return value;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      notes: { type: 'string' },
      connections: { type: 'string', default: '8' },
      rate: { type: 'string', default: '200' },
      pooled: { type: 'boolean', default: false },
    },
  });
  if (!values.notes) throw new Error('--notes <file> is missing');
  const aws = new Aws(need('AWS_ENDPOINT_URL'), need('AWS_REGION'));
  const login = await readLogin(aws, SAMPLE.appSecret);
  const notes = new NoteBook(values.notes);
  const writer = new Writer({
    endpoints: new ParameterEndpoint(aws.ssm, SAMPLE.endpointParameter),
    credentials: values.pooled ? login : { ...login, ca: readFileSync(need('KEYSHIFT_RDS_CA_BUNDLE'), 'utf8') },
    pooled: values.pooled,
    connections: Number(values.connections),
    rate: Number(values.rate),
    notes,
  });
  let stopping: Promise<void> | undefined;
  const stop = (): void => {
    stopping ??= writer.stop().then(() => {
      say({ stopped: true, totals: writer.totals });
      aws.destroy();
    });
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.on('SIGUSR2', () => void notes.flush().then(() => say({ flushed: true, totals: writer.totals })));
  writer.start();
  await waitFor('the first write', () => writer.totals.acknowledged > 0 || writer.isStopping);
  say({ ready: true });
}

main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(1);
});
