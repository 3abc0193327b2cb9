import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { makeDecodable } from '../../../workflows/lenient-messages';

const bytes = (text: string) => new TextEncoder().encode(text);
const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const decoded = (payloads: readonly Payload[] | null | undefined) =>
  (payloads ?? []).map((payload) => defaultPayloadConverter.fromPayload(payload));

const BROKEN: readonly (readonly [string, Payload])[] = [
  ['an encoding that nobody here knows', { metadata: { encoding: bytes('json/strange') }, data: bytes('{}') }],
  ['JSON that is none', { metadata: { encoding: bytes('json/plain') }, data: bytes('{"gate":') }],
  ['no encoding at all', { metadata: {}, data: bytes('{}') }],
];
const SAYS_SO = [{ undecodable: expect.any(String) as string }];

describe('what people send', () => {
  it.each([[{ gate: 'cutover', by: 'anna' }], ['text'], [42], [null], [[1, 2]]])('arrives as it was: %j', (value) => {
    const signalWorkflow = { input: [payloadOf(value)] };
    makeDecodable({ jobs: [{ signalWorkflow }] });
    expect(decoded(signalWorkflow.input)).toEqual([value]);
  });

  it.each(BROKEN)(
    'is made something of where it is %s, so that the workflow task does not fail for ever',
    (_, payload) => {
      const signalWorkflow = { input: [payload] };
      const doUpdate = { input: [payload] };
      const queryWorkflow = { arguments: [payload] };
      const initializeWorkflow = { arguments: [payload] };
      makeDecodable({ jobs: [{ signalWorkflow }, { doUpdate }, { queryWorkflow }, { initializeWorkflow }] });
      for (const { input } of [signalWorkflow, doUpdate]) expect(decoded(input)).toEqual(SAYS_SO);
      for (const { arguments: args } of [queryWorkflow, initializeWorkflow]) expect(decoded(args)).toEqual(SAYS_SO);
    },
  );
});

describe('everything else stays as it came, so that the workflow task fails', () => {
  it.each(BROKEN)('the result of an activity, and the plan of a migration that runs: %s', (_, payload) => {
    const resolveActivity = { result: { completed: { result: payload } } };
    const initializeWorkflow = { arguments: [payload] };
    makeDecodable({ isReplaying: true, jobs: [{ resolveActivity }, { initializeWorkflow }] });
    expect(resolveActivity.result.completed.result).toBe(payload);
    expect(initializeWorkflow.arguments).toEqual([payload]);
  });
});
