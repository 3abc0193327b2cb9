import type { Endpoint } from '../postgres/session';

/** How often a value names an endpoint, and what it says when it names another. */
export interface Rewritten {
  readonly value: string;
  readonly replacements: number;
}

/** JSON keys under which RDS and others write host and port. */
const HOST_KEYS = ['host', 'hostname', 'server', 'address', 'endpoint'];
const PORT_KEYS = ['port'];
/** What an endpoint may be part of by chance, and that is never to be changed. */
const LOGIN_KEYS = ['username', 'user', 'password'];
/** The key under which RDS writes the name of an instance. */
const IDENTIFIER_KEY = 'dbinstanceidentifier';

/** An endpoint, and the name of its instance where that is to be rewritten, too. */
export interface NamedEndpoint extends Endpoint {
  readonly instance?: string;
}

const escapeForRegExp = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/**
 * Points a value at another endpoint, in any of the forms in which applications keep one: the host alone, `host:port`, a
 * URL, a DSN (`host=... port=...`), or JSON as RDS writes it into its secrets. Everything else in the value stays as it
 * is. A host alone can only be pointed at a server on the same port. Where JSON names the instance beside the host, as secrets do that
 * RDS's rotation reads, it names the other one then.
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
 * @throws Error when the value needs another port and has no place for it
 */
export function rewriteEndpoint(value: string, from: NamedEndpoint, to: NamedEndpoint): Rewritten {
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

function rewriteJson(value: string, json: Record<string, unknown>, from: NamedEndpoint, to: NamedEndpoint): Rewritten {
  const portKey = Object.keys(json).find((key) => PORT_KEYS.includes(key.toLowerCase()));
  const samePort = portKey === undefined || Number(json[portKey]) === from.port;
  let replacements = 0;
  const rewritten = Object.fromEntries(
    Object.entries(json).map(([key, old]) => {
      if (typeof old !== 'string' || LOGIN_KEYS.includes(key.toLowerCase())) return [key, old];
      if (HOST_KEYS.includes(key.toLowerCase()) && old === from.address && portKey !== undefined) {
        if (!samePort) return [key, old];
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
  const idKey = Object.keys(json).find((key) => key.toLowerCase() === IDENTIFIER_KEY);
  if (idKey !== undefined && to.instance !== undefined && json[idKey] === from.instance) {
    rewritten[idKey] = to.instance;
  }
  return { value: replacements > 0 ? JSON.stringify(rewritten) : value, replacements };
}

function rewriteText(value: string, from: Endpoint, to: Endpoint): Rewritten {
  const lines = value.split(/(?<=\n)/).map((line) => rewriteLine(line, from, to));
  return {
    value: lines.map((line) => line.value).join(''),
    replacements: lines.reduce((sum, line) => sum + line.replacements, 0),
  };
}

/** `port=` of a DSN, wherever it stands in the line. */
const KEYWORD_PORT = /((?:^|[\s;?&])port\s*=\s*'?)(\d+)/gi;

function rewriteLine(line: string, from: Endpoint, to: Endpoint): Rewritten {
  const host = new RegExp(`(?<![A-Za-z0-9.-])${escapeForRegExp(from.address)}(?::(\\d+)|(?![A-Za-z0-9.-]|:\\d))`, 'g');
  const keywordPort = [...line.matchAll(KEYWORD_PORT)][0]?.[2];
  let replacements = 0;
  let portElsewhere = false;
  const rewritten = line.replaceAll(host, (match: string, ownPort: string | undefined) => {
    const port = ownPort ?? keywordPort;
    if (port !== undefined && Number(port) !== from.port) return match;
    if (port === undefined && from.port !== to.port) {
      throw new Error(
        `it names ${from.address} without a port, but the target listens on ${to.port} instead of ${from.port}: write host and port into it`,
      );
    }
    replacements += 1;
    if (ownPort !== undefined) return `${to.address}:${to.port}`;
    portElsewhere = true;
    return to.address;
  });
  if (!portElsewhere) return { value: rewritten, replacements };
  const value = rewritten.replaceAll(KEYWORD_PORT, (match: string, before: string, port: string) =>
    Number(port) === from.port ? `${before}${to.port}` : match,
  );
  return { value, replacements };
}
