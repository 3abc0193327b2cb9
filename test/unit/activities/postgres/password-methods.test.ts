import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Client } from 'pg';
import { answersOnly, type PasswordMethod } from '../../../../activities/postgres/password-methods';

const PASSWORD = 'the-crown-jewels';
const CLEAR_TEXT = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);
const MD5 = Buffer.from([0x52, 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4]);
const SASL = Buffer.concat([Buffer.from([0x52, 0, 0, 0, 23, 0, 0, 0, 10]), Buffer.from('SCRAM-SHA-256\0\0')]);

let server: Server;
/** What was sent after the startup message. */
let received: Buffer[] = [];
let questions: Buffer[] = [];
const sockets = new Set<Socket>();

beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    let started = false;
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      if (started) received.push(data);
      started = true;
      const next = questions.shift();
      if (next) socket.write(next);
      else socket.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

/** What a server gets that asks these questions, one after each answer. */
async function asked(allowed: readonly PasswordMethod[], ...given: Buffer[]): Promise<{ error: string; sent: string }> {
  received = [];
  questions = [...given];
  const { port } = server.address() as AddressInfo;
  const client = new Client({
    host: '127.0.0.1',
    port,
    user: 'app',
    database: 'pgbouncer',
    connectionTimeoutMillis: 2_000,
  });
  client.on('error', () => undefined);
  answersOnly(client, PASSWORD, allowed);
  const error = await client.connect().then(
    () => 'none',
    (failed: Error) => failed.message,
  );
  await client.end().catch(() => undefined);
  return { error, sent: Buffer.concat(received).toString('latin1') };
}

test.each([
  ['clear text', CLEAR_TEXT],
  ['MD5', MD5],
] as const)('a server that asks for %s gets nothing where SCRAM alone is allowed', async (method, question) => {
  const { error, sent } = await asked(['SCRAM'], question);
  expect(error).toBe(`the server asks for the password by ${method}; nothing was sent. Allowed here: SCRAM`);
  expect(sent).not.toContain(PASSWORD);
  expect(sent).not.toContain('md5');
});

test('nor one that begins with SCRAM and then asks for clear text', async () => {
  const { error, sent } = await asked(['SCRAM'], SASL, CLEAR_TEXT);
  expect(error).toContain('by clear text; nothing was sent');
  expect(sent).toContain('SCRAM-SHA-256');
  expect(sent).not.toContain(PASSWORD);
});

test('nor one that asks for clear text and SCRAM at once', async () => {
  const { sent } = await asked(['SCRAM'], Buffer.concat([CLEAR_TEXT, SASL, CLEAR_TEXT]));
  expect(sent).not.toContain(PASSWORD);
});

test('what is allowed is answered', async () => {
  expect((await asked(['SCRAM', 'MD5', 'clear text'], CLEAR_TEXT)).sent).toContain(PASSWORD);
  expect((await asked(['SCRAM', 'MD5'], MD5)).sent).toContain('md5');
  expect((await asked(['SCRAM'], SASL)).sent).toContain('SCRAM-SHA-256');
});
