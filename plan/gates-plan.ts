import { z } from 'zod';
import { nonEmpty } from './fields';

const approvers = z.number().int().min(1).max(10).describe('people who have to approve');

const gateFields = {
  /** `false`: the gate opens and passes by itself. */
  approval: z.boolean().default(true),
  /** How many people have to approve; each counts once. */
  approvers: approvers.default(1),
  /** An approval that is older than this when the last one comes counts no more, in minutes. Default: it stays good. */
  expiresAfterMinutes: z.number().int().min(1).max(43_200).optional(),
};

const gate = z.strictObject(gateFields).prefault({});

const cutoverGate = z
  .strictObject({
    ...gateFields,
    /** When the cutover may begin. Outside of it the gate takes approvals, and the pause waits for the window. */
    window: z
      .strictObject({
        /** Five fields: when each window opens. */
        cron: nonEmpty('a cron expression of five fields, for example "0 3 * * 6"'),
        /** IANA time zone, for example Europe/Berlin. */
        timeZone: z.string().min(1).default('UTC'),
        /** How long it stays open. */
        minutes: z.number().int().min(1).max(10_080).default(60),
      })
      .optional(),
    /** Inside the window a board without a red line needs no approval. */
    auto: z.boolean().default(false),
  })
  .prefault({});

/** `gates` of a plan: who has to approve what. */
export const gatesPlan = z
  .strictObject({
    'reboot-source': gate,
    cutover: cutoverGate,
    /** Asks once more when a rollback was requested; default: the request is enough. */
    rollback: z.strictObject({ ...gateFields, approval: z.boolean().default(false) }).prefault({}),
    decommission: gate,
    'undo-reboot': gate,
  })
  .prefault({});
