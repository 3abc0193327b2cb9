import { type Logger as TemporalLogger, type LogMetadata } from '@temporalio/worker';
import pino, { type Logger } from 'pino';

/** JSON lines on stderr; stdout stays free. */
export const logger: Logger = pino(
  { level: process.env['KEYSHIFT_LOG_LEVEL'] ?? 'info', base: null, timestamp: pino.stdTimeFunctions.isoTime },
  pino.destination({ fd: 2, sync: true }),
);

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** The SDK's log lines through ours. */
export const temporalLogger: TemporalLogger = {
  log: (level, message, meta) => logger[level.toLowerCase() as Level](plain(meta), message),
  trace: (message, meta) => logger.trace(plain(meta), message),
  debug: (message, meta) => logger.debug(plain(meta), message),
  info: (message, meta) => logger.info(plain(meta), message),
  warn: (message, meta) => logger.warn(plain(meta), message),
  error: (message, meta) => logger.error(plain(meta), message),
};

/** What is worth a field: no inputs, no payloads, and errors by name and message. */
function plain(meta: LogMetadata | undefined): Record<string, unknown> {
  const { workflowId, runId, activityType, attempt, durationMs, error } = (meta ?? {}) as Record<string, unknown>;
  return {
    workflowId,
    runId,
    activityType,
    attempt,
    durationMs,
    ...(error instanceof Error ? { error: `${error.name}: ${error.message}` } : {}),
  };
}
