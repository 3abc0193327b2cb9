import { SEARCH_ATTRIBUTES } from './temporal';

/** `temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD` */
const KEYWORD = 2;

/** The part of Temporal's operator service that this needs. */
export interface OperatorService {
  listSearchAttributes(request: { namespace: string }): Promise<{ customAttributes?: Record<string, unknown> | null }>;
  addSearchAttributes(request: { namespace: string; searchAttributes: Record<string, number> }): Promise<unknown>;
}

/**
 * Registers our search attributes in a namespace, those that are missing. On Temporal Cloud only an administrator may:
 * there they are made once (docs/operating.md).
 * @returns the names that were registered now
 * @throws Error that says what to run, when an attribute is missing and can't be registered
 */
export async function registerSearchAttributes(operator: OperatorService, namespace: string): Promise<string[]> {
  let missing: string[] = Object.values(SEARCH_ATTRIBUTES);
  try {
    const { customAttributes } = await operator.listSearchAttributes({ namespace });
    missing = missing.filter((name) => !(name in (customAttributes ?? {})));
    if (missing.length === 0) return [];
    const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
    await operator.addSearchAttributes({ namespace, searchAttributes });
  } catch (error) {
    const flags = missing.map((name) => `--name ${name} --type Keyword`).join(' ');
    throw new Error(
      `search attributes ${missing.join(', ')} can't be looked up or registered in namespace ${namespace} (${(error as Error).message}). Run: temporal operator search-attribute create ${flags}`,
      { cause: error },
    );
  }
  return missing;
}
