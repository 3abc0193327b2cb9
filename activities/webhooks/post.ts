import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** How much of an answer is read, in characters: a reason, not a document. */
const ANSWER_LENGTH = 300;

/** What came of a request. `sent`: whether the endpoint can have seen it. */
export type Posted =
  { readonly status: number; readonly text: string } | { readonly failed: string; readonly sent: boolean };

/**
 * Sends one POST request on a connection of its own. Redirects are not followed: a signed request goes to where the plan says, and nowhere
 * else. Never throws for what the network or the endpoint does.
 */
export function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  timeoutMs: number,
): Promise<Posted> {
  const send = new URL(url).protocol === 'https:' ? httpsRequest : httpRequest;
  const connected = send === httpsRequest ? 'secureConnect' : 'connect';
  return new Promise((resolve) => {
    let sent = false;
    const request = send(url, {
      method: 'POST',
      agent: false,
      headers: { ...headers, 'Content-Length': String(Buffer.byteLength(body)), Connection: 'close' },
      signal: AbortSignal.timeout(timeoutMs),
    });
    const fail = ({ name, message }: Error) => {
      const late = name === 'AbortError' || name === 'TimeoutError';
      resolve({ failed: late ? `no answer within ${timeoutMs} ms` : message, sent });
    };
    request.once('socket', (socket) => socket.once(connected, () => (sent = true)));
    request.once('error', fail);
    request.once('response', (response) => {
      readStart(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), fail);
    });
    request.end(body);
  });
}

async function readStart(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const part of response) {
    text += part as string;
    if (text.length > ANSWER_LENGTH) break;
  }
  return text
    .slice(0, ANSWER_LENGTH)
    .replaceAll(/\p{C}+/gu, ' ')
    .trim();
}
