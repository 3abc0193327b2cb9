import type { z } from 'zod';
import { AwsError } from './errors';

/** One operation of a JSON service: reads its input, answers an object that is sent as JSON. */
export type JsonOperation = (input: unknown, scope: JsonScope) => Promise<object> | object;

/** Where a call plays. */
export interface JsonScope {
  readonly region: string;
  /** ARN of who calls. */
  readonly caller: string;
}

/** Checks an input against its shape. The error is the one that AWS's JSON services give for malformed input. */
export function readInput<Shape extends z.ZodType>(shape: Shape, input: unknown): z.infer<Shape> {
  const result = shape.safeParse(input);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `Value at '${issue.path.join('.')}' failed to satisfy constraint: ${issue.message}`,
  );
  throw new AwsError('ValidationException', `${problems.length} validation error detected: ${problems.join('; ')}`);
}

/** Times in JSON answers are seconds since 1970. */
export function epochSeconds(isoDate: string): number {
  return new Date(isoDate).getTime() / 1000;
}

/** The body of an error: clients read `__type`. */
export function jsonError(error: AwsError): object {
  return { __type: error.code, message: error.message, Message: error.message };
}

/** A page of a list whose token is the place at which the next one begins. */
export function page<Item>(
  items: readonly Item[],
  token: string | undefined,
  limit: number,
): { readonly items: readonly Item[]; readonly next: string | undefined } {
  const start = token === undefined ? 0 : Number(Buffer.from(token, 'base64url').toString());
  const end = start + limit;
  return {
    items: items.slice(start, end),
    next: end < items.length ? Buffer.from(String(end)).toString('base64url') : undefined,
  };
}
