import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { signatureOf } from '../../../../activities/webhooks/sign';
import { createAuthority, createServerCertificate } from '../../../../local/postgres/certificates';
import { SwitchLab } from '../../../support/switch-lab';

const KEY = 'a key of the user, not for logs';
const SECRET = 'webhook-key';

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let lab: SwitchLab;
let server: Server;
let url: string;
const received: Received[] = [];
/** What the endpoint answers; `hang`: nothing. */
let answer: { readonly status: number; readonly text?: string } | 'hang' = { status: 200 };

const listener: RequestListener = (request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (part: string) => (body += part));
  request.on('end', () => {
    received.push({ headers: request.headers, body });
    if (answer === 'hang') return;
    response.writeHead(answer.status, { Location: `${url}/elsewhere` }).end(answer.text);
  });
};

const listening = (one: Server): Promise<number> =>
  new Promise((resolve) => one.listen(0, '127.0.0.1', () => resolve((one.address() as AddressInfo).port)));

beforeAll(async () => {
  lab = await SwitchLab.open();
  await lab.lab.value(SECRET, KEY, 'webhook');
  server = createServer(listener);
  url = `http://127.0.0.1:${await listening(server)}/a-token-in-the-path`;
});
beforeEach(() => {
  received.splice(0);
  answer = { status: 200 };
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await lab?.close();
});

const endpoint = (more: object = {}) => ({ url, secret: SECRET, timeoutMs: 2_000, ...more });

describe('a webhook that switches traffic', () => {
  const ref = (more: object = {}) => lab.ref([{ type: 'webhook', ...endpoint(more) }]);

  it('is one signed request; another try has the same key and the same body', async () => {
    const place = lab.place(ref());
    await expect(lab.look(place)).resolves.toMatchObject({ pointsAt: 'unknown', red: [] });
    expect(received).toEqual([]);
    const prepared = await lab.prepare(place);
    await prepared.apply();
    await prepared.apply();
    const [first, second] = received as [Received, Received];
    const timestamp = first.headers['keyshift-timestamp'] as string;
    expect(Math.abs(Number(timestamp) - Date.now() / 1_000)).toBeLessThan(60);
    expect(first.headers['keyshift-signature']).toBe(signatureOf(KEY, timestamp, first.body));
    expect(first.headers['keyshift-idempotency-key']).toBe(`${place.ref.id}:there:0`);
    expect(JSON.parse(first.body)).toEqual({
      event: 'traffic.switch',
      idempotencyKey: `${place.ref.id}:there:0`,
      migration: place.ref.id,
      direction: 'there',
      source: 'app-db',
      target: 'app-db-encrypted',
      from: { host: lab.source.address, port: lab.source.port },
      to: { host: lab.target.address, port: lab.target.port },
    });
    expect(second.body).toBe(first.body);
    expect(received).toHaveLength(2);
  });

  it('says in the way back what it was in the way there, exchanged', async () => {
    const place = lab.place(ref(), 'back');
    await lab.switch(place);
    expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({
      direction: 'back',
      idempotencyKey: `${place.ref.id}:back:0`,
      from: { port: lab.target.port },
      to: { port: lab.source.port },
    });
  });

  it.each([
    [400, 'SwitchRefused'],
    [429, 'SwitchRefused'],
    [302, 'SwitchRefused'],
    [409, 'ApplicationFailure'],
    [303, 'ApplicationFailure'],
    [500, 'ApplicationFailure'],
    [503, 'ApplicationFailure'],
  ])('that is answered %d ends with %s: either it took no effect, or nobody knows', async (status, name) => {
    answer = { status, text: `no: ${KEY} at ${url}\n\u0007` };
    const prepared = await lab.prepare(lab.place(ref()));
    const error = await prepared.apply().then(
      () => undefined,
      (one: Error) => one,
    );
    expect(error).toMatchObject({ name });
    expect(error?.message).toContain(`answered traffic.switch with ${status}: no: ...`);
    for (const secret of [KEY, 'a-token-in-the-path', '\u0007']) expect(error?.message).not.toContain(secret);
    // A redirect is not followed.
    expect(received).toHaveLength(1);
  });

  it('is not taken for refused when the answer does not come', async () => {
    answer = 'hang';
    const prepared = await lab.prepare(lab.place(ref({ timeoutMs: 200 })));
    await expect(prepared.apply()).rejects.toMatchObject({
      type: 'SwitchUnconfirmed',
      message: expect.stringContaining('no answer within 200 ms') as string,
    });
  });

  it('is refused where nobody can have heard of it, and red before that', async () => {
    const place = lab.place(ref({ url: 'http://127.0.0.1:1/' }));
    await expect(lab.look(place)).resolves.toMatchObject({ red: [expect.stringContaining('ECONNREFUSED')] });
    const prepared = await lab.prepare(place);
    await expect(prepared.apply()).rejects.toMatchObject({ name: 'SwitchRefused' });
    const noSecret = lab.place(ref({ secret: 'gone' }));
    await expect(lab.look(noSecret)).resolves.toMatchObject({ red: [expect.stringContaining('no secret gone')] });
  });
});

describe('hooks', () => {
  const input = (when: 'before' | 'after', ...entries: object[]) => {
    const hooks = { [when]: entries.map((more) => endpoint(more)) };
    return { ...lab.ref([], { hooks }), when, round: 2, facts: { pauseMs: 40 } };
  };

  it('are called in order, with a key per hook and round', async () => {
    const hooks = input('before', {}, {});
    await expect(lab.lab.run('callHooks', hooks)).resolves.toEqual([]);
    expect(received.map(({ headers }) => headers['keyshift-idempotency-key'])).toEqual(
      [0, 1].map((index) => `${hooks.id}:there:before:2:${index}`),
    );
    expect(JSON.parse(received[0]?.body ?? '')).toMatchObject({ event: 'cutover.before', pauseMs: 40 });
  });

  it('have to agree before: the first that does not is the last that is asked', async () => {
    answer = { status: 423, text: 'frozen until Monday' };
    const reasons = await lab.lab.run('callHooks', input('before', {}, {}));
    expect(reasons).toEqual([expect.stringContaining('423: frozen until Monday')]);
    expect(received).toHaveLength(1);
  });

  it('are all told after, whatever the others answer', async () => {
    answer = { status: 500 };
    const failed = await lab.lab.run('callHooks', input('after', { url: 'http://127.0.0.1:1/' }, {}));
    expect(failed).toEqual([expect.stringContaining('ECONNREFUSED'), expect.stringContaining('500')]);
    expect(received).toHaveLength(1);
  });
});

describe('HTTPS', () => {
  it('needs a certificate that the machine trusts, also one of the company’s own', async () => {
    const authority = await createAuthority('a company');
    const { certificatePem: cert, privateKeyPem: key } = await createServerCertificate(authority, 'localhost');
    const secure = createHttpsServer({ cert, key }, listener);
    const ca = join(lab.folder, 'company.pem');
    writeFileSync(ca, authority.certificatePem);
    const target = `https://localhost:${await listening(secure)}/`;
    const posted = async (env: NodeJS.ProcessEnv): Promise<unknown> => {
      const args = ['--import', 'tsx', 'test/support/post-once.ts', target];
      const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...env } });
      return JSON.parse(stdout) as unknown;
    };
    try {
      await expect(posted({ NODE_EXTRA_CA_CERTS: ca })).resolves.toEqual({ status: 200, text: '' });
      await expect(posted({ NODE_EXTRA_CA_CERTS: '' })).resolves.toEqual({
        sent: false,
        failed: expect.stringContaining('certificate') as string,
      });
      expect(received).toHaveLength(1);
    } finally {
      secure.closeAllConnections();
      secure.close();
    }
  });
});

describe('a switch by hand', () => {
  it('says what to do, and does nothing', async () => {
    const place = lab.place(lab.ref([{ type: 'manual' }]));
    const { findings, pointsAt } = await lab.look(place);
    expect(pointsAt).toBe('unknown');
    expect(findings.join()).toContain(`to ${lab.target.address}:${lab.target.port} by hand, then send switched`);
    await expect(lab.switch(place)).resolves.toMatchObject({ done: false });
  });
});

describe('the watch of both sides', () => {
  it('ends when applications have arrived on the target and nobody is left on the source', async () => {
    const ref = lab.ref([], { watchSeconds: 30 });
    const straggler = await lab.lab.standIn.connect('app-db');
    const arrived = await lab.lab.standIn.connect('app-db-encrypted');
    try {
      const watching = lab.lab.run('watchTraffic', ref);
      setTimeout(() => void straggler.end(), 700);
      const { onTarget, stragglers, seenOnSource, watchedMs } = await watching;
      expect({ onTarget, stragglers }).toEqual({ onTarget: 1, stragglers: [] });
      expect(seenOnSource).toEqual([
        {
          user: 'master',
          database: 'postgres',
          application: '',
          address: '127.0.0.1/32',
          sessions: 1,
          left: false,
        },
      ]);
      expect(watchedMs).toBeLessThan(20_000);
    } finally {
      await arrived.end();
    }
  });

  it('names who is left on the source', async () => {
    const straggler = await lab.lab.standIn.connect('app-db');
    await straggler.query(`SET application_name = 'nightly report'`);
    const seen = await lab.lab.run('watchTraffic', lab.ref([], { watchSeconds: 1 }));
    expect(seen).toMatchObject({
      onTarget: 0,
      stragglers: [expect.stringContaining('nightly report')],
      seenOnSource: [{ application: 'nightly report', sessions: 1, left: true }],
    });
    await straggler.end();
  });
});
