import { randomUUID } from 'node:crypto';
import { METADATA_ENCODING_KEY, type Payload, type PayloadCodec } from '@temporalio/common';
import { waitFor } from '../../../../local/world/wait-for';
import { ScriptedActivities, switched } from '../../../support/scripted-activities';
import { SMALLEST_PLAN } from '../../../support/plan';
import { ScriptedMigration, WorkflowLab } from '../../../support/workflow-lab';

let lab: WorkflowLab;
beforeAll(async () => {
  lab = await WorkflowLab.open();
});
afterEach(() => lab.endMigrations());
afterAll(() => lab?.close());

const FREE = { approval: false };
const UNATTENDED = { ...SMALLEST_PLAN, gates: { 'reboot-source': FREE, cutover: FREE, decommission: FREE } };
const STRANGE = new TextEncoder().encode('binary/strange');
const textOf = (payload: Payload) => Buffer.from(payload.data ?? []).toString();

/** Encodes what has `mark` in it, and can't read it again; `decodes`: can, as a worker whose key is the right one. */
const codec = (mark: string, decodes: boolean): PayloadCodec => ({
  encode: (payloads) =>
    Promise.resolve(
      payloads.map((payload) =>
        !decodes && textOf(payload).includes(mark)
          ? {
              metadata: { [METADATA_ENCODING_KEY]: STRANGE, was: payload.metadata?.encoding ?? STRANGE },
              data: payload.data ?? null,
            }
          : payload,
      ),
    ),
  decode: (payloads) =>
    Promise.resolve(
      payloads.map((payload) => {
        const was = payload.metadata?.was;
        return decodes && was ? { ...payload, metadata: { [METADATA_ENCODING_KEY]: was } } : payload;
      }),
    ),
});

/** Results of activities that no worker may make up: what they are would be taken for a fact. */
const RESULTS = [
  ['cutOver', '"switched":true', 'cutOver'],
  ['runPreflight', '"resourceId":"db-SOURCE"', 'runPreflight'],
  ['proveContents', '"method":"snapshot"', 'proveContents'],
] as const;

describe('the result of an activity that a worker cannot decode', () => {
  it.each(RESULTS)('of %s: nothing goes on until a worker comes that can', async (_, mark, last) => {
    const taskQueue = `test-${randomUUID()}`;
    const script = new ScriptedActivities({ cutOver: () => switched() });
    const stopWrong = await lab.startWorker(taskQueue, script, {
      dataConverter: { payloadCodecs: [codec(mark, false)] },
    });
    const handle = await lab.start(taskQueue, UNATTENDED);
    const migration = new ScriptedMigration(handle, script, () => Promise.resolve());
    try {
      await waitFor('a workflow task has failed', async () => {
        const { events } = await handle.fetchHistory();
        return events?.some(({ workflowTaskFailedEventAttributes: failed }) =>
          failed?.failure?.message?.includes('binary/strange'),
        )
          ? true
          : undefined;
      });
    } finally {
      await stopWrong();
    }
    expect(script.names.filter((name) => name !== 'watchTraffic').at(-1)).toBe(last);

    const stopRight = await lab.startWorker(taskQueue, script, {
      dataConverter: { payloadCodecs: [codec(mark, true)] },
    });
    try {
      await migration.until('it is completed', ({ status }) => status === 'completed');
      const report = await migration.report();
      expect(report.cutover?.pauseMs).toBe(120);
      expect(report.progress.notices.map(({ text }) => text).join('\n')).not.toContain('given up');
      expect(script.names.filter((name) => name === 'cutOver')).toHaveLength(1);
      expect(script.names).not.toContain('lowerFence');
    } finally {
      await stopRight();
      await migration.end();
    }
  });
});

describe('what a person sends in an encoding that nobody knows', () => {
  it('is refused, and what comes after it has its effect', async () => {
    const migration = await lab.migrate();
    await migration.untilGate('reboot-source');
    const strange: PayloadCodec = {
      encode: (payloads) =>
        Promise.resolve(payloads.map((one) => ({ ...one, metadata: { [METADATA_ENCODING_KEY]: STRANGE } }))),
      decode: (payloads) => Promise.resolve(payloads),
    };
    await lab.signalThrough(strange, migration.id, 'approve', { gate: 'reboot-source', by: 'anna' });
    const { notices } = await migration.until('a notice', ({ notices: all }) => all.length > 0);
    expect(notices.at(-1)?.text).toContain('refused');
    await migration.update('abort', { by: 'anna', reason: 'test' });
    await expect(migration.result()).resolves.toMatchObject({ status: 'aborted' });
  });
});
