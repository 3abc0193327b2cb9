import { type OperatorService, registerSearchAttributes } from '../../../plan/register-search-attributes';
import { SEARCH_ATTRIBUTES } from '../../../plan/temporal';

const ALL = Object.values(SEARCH_ATTRIBUTES);
const KEYWORD = 2;

/** An operator service that keeps what it is given. */
function operatorWith(existing: readonly string[], refusal?: string) {
  const requests: { namespace: string; searchAttributes: Record<string, number> }[] = [];
  const operator: OperatorService = {
    listSearchAttributes: async () => ({
      customAttributes: Object.fromEntries(existing.map((name) => [name, KEYWORD])),
    }),
    addSearchAttributes: async (request) => {
      if (refusal) throw new Error(refusal);
      requests.push(request);
    },
  };
  return { operator, requests };
}

describe('registering the search attributes', () => {
  it('makes all of them in a new namespace', async () => {
    const { operator, requests } = operatorWith([]);
    await expect(registerSearchAttributes(operator, 'default')).resolves.toEqual(ALL);
    expect(requests).toEqual([
      { namespace: 'default', searchAttributes: Object.fromEntries(ALL.map((name) => [name, KEYWORD])) },
    ]);
  });

  it('makes only those that are missing', async () => {
    const { operator, requests } = operatorWith(ALL.slice(1));
    await expect(registerSearchAttributes(operator, 'default')).resolves.toEqual([ALL[0]]);
    expect(requests[0]?.searchAttributes).toEqual({ [ALL[0] as string]: KEYWORD });
  });

  it('asks for nothing where all are there, so that a worker without the right may start', async () => {
    const { operator } = operatorWith([...ALL, 'Other'], 'permission denied');
    await expect(registerSearchAttributes(operator, 'default')).resolves.toEqual([]);
  });

  it('says what an administrator has to run when it may not', async () => {
    const { operator } = operatorWith(ALL.slice(0, 3), 'permission denied');
    await expect(registerSearchAttributes(operator, 'prod')).rejects.toThrow(
      `KeyshiftGate can't be looked up or registered in namespace prod (permission denied). Run: temporal operator search-attribute create --name ${ALL[3]} --type Keyword`,
    );
  });

  it('takes an answer without attributes for an empty namespace', async () => {
    const operator: OperatorService = {
      listSearchAttributes: async () => ({ customAttributes: null }),
      addSearchAttributes: async () => undefined,
    };
    await expect(registerSearchAttributes(operator, 'default')).resolves.toEqual(ALL);
  });
});
