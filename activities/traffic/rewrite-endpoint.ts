import type { Endpoint } from '../postgres/session';

/** How often a value names an endpoint, and what it says when it names another. */
export interface Rewritten {
  readonly value: string;
  readonly replacements: number;
}

/** JSON keys under which RDS and others write host and port. */
const HOST_KEYS = ['host', 'hostname', 'server', 'address', 'endpoint'];
const PORT_KEYS = ['port'];

const escapeForRegExp = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/**
 * Points a value at another endpoint, in any of the forms in which applications keep one: the host alone, `host:port`, a
 * URL, a DSN (`host=... port=...`), or JSON as RDS writes it into its secrets. Everything else in the value stays as it
 * is. A host alone can only be pointed at a server on the same port.
 * @throws Error when the value needs another port and has no place for it
 */
export function rewriteEndpoint(value: string, from: Endpoint, to: Endpoint): Rewritten {
  const json = parseObject(value);
  return json ? rewriteJson(value, json, from, to) : rewriteText(value, from, to);
}

function parseObject(value: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function rewriteJson(value: string, json: Record<string, unknown>, from: Endpoint, to: Endpoint): Rewritten {
  const portKey = Object.keys(json).find((key) => PORT_KEYS.includes(key.toLowerCase()));
  const samePort = portKey === undefined || Number(json[portKey]) === from.port;
  let replacements = 0;
  const rewritten = Object.fromEntries(
    Object.entries(json).map(([key, old]) => {
      if (typeof old !== 'string') return [key, old];
      if (HOST_KEYS.includes(key.toLowerCase()) && old === from.address && samePort && portKey !== undefined) {
        replacements += 1;
        return [key, to.address];
      }
      const text = rewriteText(old, from, to);
      replacements += text.replacements;
      return [key, text.value];
    }),
  );
  if (portKey !== undefined && samePort && replacements > 0) {
    rewritten[portKey] = typeof json[portKey] === 'string' ? String(to.port) : to.port;
  }
  return { value: replacements > 0 ? JSON.stringify(rewritten) : value, replacements };
}

function rewriteText(value: string, from: Endpoint, to: Endpoint): Rewritten {
  const host = escapeForRegExp(from.address);
  let replacements = 0;
  const counted = (text: string) => {
    replacements += 1;
    return text;
  };
  const boundary = { before: '(?<![A-Za-z0-9.-])', after: '(?![A-Za-z0-9.-])' };
  const rewritten = value
    .replaceAll(new RegExp(`${boundary.before}${host}:${from.port}(?!\\d)`, 'g'), () =>
      counted(`${to.address}:${to.port}`),
    )
    .replaceAll(
      new RegExp(`host=${host}(\\s+(?:\\S+\\s+)*?)port=${from.port}(?!\\d)`, 'g'),
      (_match, between: string) => counted(`host=${to.address}${between}port=${to.port}`),
    );
  if (replacements > 0) return { value: rewritten, replacements };
  const alone = new RegExp(`${boundary.before}${host}${boundary.after}(?!:\\d)`, 'g');
  if (!alone.test(value)) return { value, replacements: 0 };
  if (from.port !== to.port) {
    throw new Error(
      `it names ${from.address} without a port, but the target listens on ${to.port} instead of ${from.port}: write host and port into it`,
    );
  }
  return { value: value.replaceAll(alone, () => counted(to.address)), replacements };
}
