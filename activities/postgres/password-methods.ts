import type { Client } from 'pg';

/** How a server may ask for a password. `MD5` and `clear text` give whoever listens what it needs to find the password, or to pass it on. */
export type PasswordMethod = 'SCRAM' | 'MD5' | 'clear text';

/** What the driver's connection emits when a server asks for a password. */
const EVENTS: Readonly<Record<PasswordMethod, string>> = {
  SCRAM: 'authenticationSASL',
  MD5: 'authenticationMD5Password',
  'clear text': 'authenticationCleartextPassword',
};

/** A server asks for the password in a way in which it is not answered. No retry changes what it asks for. */
export class PasswordMethodRefused extends Error {}

type Listening = Client & { readonly connection: NodeJS.EventEmitter };

/**
 * Lets a client answer with its password only to a server that asks for it in one of these ways; before `connect`. The driver itself answers
 * whatever is asked. Nothing is sent before a method that is allowed has been asked for, nor once another one has.
 */
export function answersOnly(client: Client, password: string, allowed: readonly PasswordMethod[]): void {
  const { connection } = client as Listening;
  const refuse = (why: string) => () => {
    throw new PasswordMethodRefused(`${why}; nothing was sent. Allowed here: ${allowed.join(', ')}`);
  };
  const set = (value: string | (() => string)) => Object.assign(client, { password: value });
  set(refuse('the server asks for the password in a way that is not known'));
  let refused = false;
  // Before the driver's own listeners, which are added by `connect`, and read the password then.
  for (const [method, event] of Object.entries(EVENTS) as [PasswordMethod, string][]) {
    connection.on(event, () => {
      refused ||= !allowed.includes(method);
      set(refused ? refuse(`the server asks for the password by ${method}`) : password);
    });
  }
}
