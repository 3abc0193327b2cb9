/** What a server's log says of an error of apply. */
export interface ApplyError {
  /** The message of the line `ERROR`. */
  readonly error: string;
  /** What apply was doing: relation, kind of change, transaction and LSN (15+). */
  readonly context?: string;
}

/** `<prefix>[<process id>]<rest of the prefix>SEVERITY:  message`; RDS's prefix is `%t:%r:%u@%d:[%p]:`. */
const LINE = /\[(\d+)\][^A-Za-z]*\b([A-Z]+\d?):\s+(.*)$/;
const STARTED = /^logical replication (?:\w+ )*worker for subscription "((?:[^"]|"")*)"(?:, table ".*")? has started$/;
/** Names functions, relations and places. Other contexts, that of COPY for example, quote rows. */
const QUOTABLE = /^(PL\/pgSQL function |SQL function |processing remote data )/;

/**
 * The last error of a subscription's workers in a server log. Quotes `ERROR` and `CONTEXT`, never `DETAIL`, which has rows.
 * @param subscription its name, and the name of its origin: what is left of the log may begin after the worker did
 */
export function lastApplyError(
  log: string,
  subscription: { readonly name: string; readonly origin?: string },
): ApplyError | undefined {
  const workers = new Map<string, boolean>();
  let last: ApplyError | undefined;
  let open: { readonly pid: string; readonly error: string; readonly known: boolean; context: string[] } | undefined;
  let inContext = false;
  const close = () => {
    const context = open?.context.join('; ');
    const isOurs =
      open?.known === true || (subscription.origin !== undefined && context?.includes(`"${subscription.origin}"`));
    if (open && isOurs) last = { error: open.error, ...(context ? { context } : {}) };
    open = undefined;
  };
  for (const line of log.split('\n')) {
    // A message of several lines goes on behind a tab.
    if (line.startsWith('\t')) {
      if (open && inContext) open.context.push(...quotable(line.trim()));
      continue;
    }
    const [, pid = '', severity = '', message = ''] = LINE.exec(line) ?? [];
    inContext = open !== undefined && pid === open.pid && severity === 'CONTEXT';
    if (open && inContext) open.context.push(...quotable(message));
    if (severity === 'LOG') {
      const started = STARTED.exec(message)?.[1];
      if (started !== undefined) workers.set(pid, started.replaceAll('""', '"') === subscription.name);
    }
    if (severity !== 'ERROR' && severity !== 'FATAL') continue;
    close();
    open = { pid, error: message, known: workers.get(pid) === true, context: [] };
  }
  close();
  return last;
}

const quotable = (text: string): string[] => (QUOTABLE.test(text) ? [text] : []);

/** Errors that come of the connection to the other side. */
const OF_CONNECTION =
  /could not (connect to the publisher|receive data from WAL stream|send data to WAL stream|start WAL streaming)|terminating (logical replication|walreceiver|background worker)|replication slot ".*" is active|the database system is /;

/** Whether it goes away by itself when the other side is there again. */
export const isOfConnection = ({ error }: ApplyError): boolean => OF_CONNECTION.test(error);

/** As a sentence quotes it. */
export const quoted = ({ error, context }: ApplyError): string =>
  `ERROR: ${error}${context === undefined ? '' : ` (${context})`}`;
