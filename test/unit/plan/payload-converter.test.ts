import { payloadConverter } from '../../../plan/payload-converter';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('the payload converter', () => {
  it.each([[{ gate: 'cutover', by: 'anna' }], ['text'], [42], [null], [[1, 2]]])('gives back %j as it was', (value) => {
    const payload = payloadConverter.toPayload(value);
    expect(payload && payloadConverter.fromPayload(payload)).toEqual(value);
  });

  it.each([
    ['an encoding that nobody here knows', { metadata: { encoding: bytes('json/strange') }, data: bytes('{}') }],
    ['JSON that is none', { metadata: { encoding: bytes('json/plain') }, data: bytes('{"gate":') }],
    ['no encoding at all', { metadata: {}, data: bytes('{}') }],
  ])('makes something of %s, so that the workflow task does not fail for ever', (_, payload) => {
    expect(payloadConverter.fromPayload(payload)).toEqual({ undecodable: expect.any(String) as string });
  });
});
