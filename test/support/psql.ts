import type { Client } from 'pg';
import { DELETES } from '../../activities/preflight/remedy';

/** A statement of a script, and the database that the script is connected to there; undefined: the one that `psql` was started with. */
export interface ScriptStatement {
  readonly database: string | undefined;
  readonly sql: string;
}

/**
 * Takes the dashes away from what deletes, as the script says: from lines of comment after `DELETES`, up to one that is none.
 */
export function withDeletions(script: string): string {
  let deletes = false;
  return script
    .split('\n')
    .map((line) => {
      deletes = line === DELETES || (deletes && line.startsWith('-- '));
      return deletes && line !== DELETES ? line.slice('-- '.length) : line;
    })
    .join('\n');
}

/**
 * Statements of a script, cut where `psql` cuts them: at semicolons outside of strings, quoted names, comments, parentheses, and bodies of functions in SQL.
 * @see https://www.postgresql.org/docs/current/app-psql.html and psqlscan.l
 */
export function statementsOf(script: string): ScriptStatement[] {
  const found: ScriptStatement[] = [];
  let database: string | undefined;
  let from = 0;
  let depth = 0;
  let body = 0;
  let words: string[] = [];
  const end = (at: number) => {
    const sql = script.slice(from, at).trim();
    if (words.length > 0 || /\S/.test(sql.replaceAll(/^\s*--.*$/gm, ''))) found.push({ database, sql });
    [from, depth, body, words] = [at, 0, 0, []];
  };
  for (let at = 0; at < script.length;) {
    const rest = script.slice(at);
    const connect = words.length === 0 ? /^\\connect (?:"((?:[^"]|"")+)"|(\S+))(?:\n|$)/.exec(rest) : null;
    if (connect) {
      database = connect[1]?.replaceAll('""', '"') ?? connect[2];
      at += connect[0].length;
      from = at;
      continue;
    }
    const [token = ''] = TOKEN.exec(rest) ?? [];
    at += token.length || 1;
    if (/^[a-z_]/i.test(token) && !/^e'/i.test(token)) {
      const word = token.toUpperCase();
      const makesRoutine = words[0] === 'CREATE' && words.some((one) => one === 'FUNCTION' || one === 'PROCEDURE');
      if (makesRoutine && depth === 0 && (word === 'BEGIN' || (body > 0 && word === 'CASE'))) body += 1;
      if (body > 0 && word === 'END') body -= 1;
      words.push(word);
    } else if (token === '(') depth += 1;
    else if (token === ')') depth -= 1;
    else if (token === ';' && depth === 0 && body === 0) end(at);
  }
  end(script.length);
  return found;
}

/** One token at the beginning: comment, string, quoted name, dollar-quoted string, word, or a character. */
const TOKEN =
  /^(?:--[^\n]*|\/\*[\s\S]*?\*\/|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\1|[A-Za-z_][\w$]*|[\s\S])/;

/**
 * Runs a script as `psql` does: statement by statement, in a new session after each `\\connect`. Lines of comment are for people.
 * @returns the rows of each statement
 */
export async function runScript(
  connect: (database: string) => Promise<Client>,
  script: string,
): Promise<(readonly unknown[])[]> {
  const answers: (readonly unknown[])[] = [];
  let session: { readonly database: string; readonly client: Client } | undefined;
  try {
    for (const { database = 'postgres', sql } of statementsOf(script)) {
      if (session?.database !== database) {
        await session?.client.end();
        session = { database, client: await connect(database) };
      }
      const answer: unknown = await session.client.query(sql).catch((error: Error) => {
        throw new Error(`${sql}: ${error.message}\n${script}`);
      });
      answers.push((answer as { rows?: readonly unknown[] }).rows ?? []);
    }
  } finally {
    await session?.client.end();
  }
  return answers;
}
