import { z } from 'zod';

// The sandbox of Temporal workflows has no `Function` constructor that could be relied on.
z.config({ jitless: true });

/** RDS: 1-63 letters, digits, hyphens; first a letter; no hyphen at the end, no two in a row. */
export const instanceId = z
  .string()
  .max(63)
  .regex(
    /^[A-Za-z](?!.*--)[A-Za-z0-9-]*(?<!-)$/,
    'is not a DB instance identifier: 1-63 letters, digits and hyphens, beginning with a letter, no hyphen at the end and no two in a row',
  )
  .transform((id) => id.toLowerCase());

export const nonEmpty = (what: string) => z.string().min(1, `is empty: give ${what}`);

export const milliseconds = (what: string, minimum: number, maximum: number) =>
  z
    .number(`is not a number: give ${what} in milliseconds`)
    .int()
    .min(minimum, `is below ${minimum} ms`)
    .max(maximum, `is above ${maximum} ms`);
