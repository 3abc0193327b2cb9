/** Writes docs/report.schema.json anew: `npm run report:schema`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { reportJsonSchema } from '../../evidence/schema';

const FILE = join(__dirname, '..', '..', 'docs', 'report.schema.json');

async function main(): Promise<void> {
  writeFileSync(FILE, await format(JSON.stringify(reportJsonSchema()), { parser: 'json', printWidth: 120 }));
}

void main();
