import addFormats from 'ajv-formats';
import Ajv2020 from 'ajv/dist/2020';
import { reportJsonSchema } from '../../evidence/schema';
import { read } from '../unit/docs/read';

/** What a JSON schema has against a report; nothing: an empty list. */
function complaints(schema: object) {
  const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false });
  addFormats(ajv);
  const validate = ajv.compile(schema);
  return (report: unknown): string[] => {
    validate(report);
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  };
}

/** By the schema that everybody has. */
export const published = complaints(JSON.parse(read('docs/report.schema.json')) as object);
/** By one that knows no field but those of this version. */
export const closed = complaints(reportJsonSchema({ closed: true }));
