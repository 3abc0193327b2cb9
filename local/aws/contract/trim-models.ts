import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { MODEL_FOLDERS, MODELS, type ServiceName } from './model';
import { operationNames } from './operation-names';

/**
 * Writes the models of the services of the stand-in, without documentation and without what it doesn't have:
 *
 *     node local/run.mjs local/aws/contract/trim-models.ts <folder botocore of an unpacked wheel>
 */

type Json = Record<string, unknown>;

interface Full {
  readonly metadata: { readonly protocol: string };
  readonly operations: Record<string, { errors?: { shape: string }[]; input?: Json; output?: Json; http: Json }>;
  readonly shapes: Record<string, Json>;
}

/** Of a shape or a member, all that says how messages look. */
const KEPT = new Set(
  'type members member key value required enum pattern min max shape locationName location queryName flattened payload error code httpStatusCode'.split(
    ' ',
  ),
);
const KEPT_OF_OPERATIONS = new Set(['method', 'requestUri', 'responseCode', 'shape', 'locationName', 'resultWrapper']);

function only(value: unknown, kept: ReadonlySet<string>): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => kept.has(name))
      .map(([name, member]) => [
        name,
        name === 'members'
          ? Object.fromEntries(Object.entries(member as Json).map(([key, one]) => [key, only(one, kept)]))
          : only(member, kept),
      ]),
  );
}

/** Everything that a shape is made of. */
function reach(shapes: Full['shapes'], name: string, found: Set<string>): void {
  if (found.has(name)) return;
  found.add(name);
  const { members = {}, member, key, value } = shapes[name] as Record<string, never>;
  for (const part of [...Object.values(members), member, key, value] as ({ shape: string } | undefined)[]) {
    if (part) reach(shapes, part.shape, found);
  }
}

function trim(service: ServiceName, botocore: string, version: string): string {
  const folder = join(botocore, 'data', MODEL_FOLDERS[service]);
  const newest = readdirSync(folder).sort().at(-1) ?? '';
  const full = JSON.parse(gunzipSync(readFileSync(join(folder, newest, 'service-2.json.gz'))).toString()) as Full;
  const used = new Set<string>();
  const operations = operationNames()[service].map((name) => {
    const operation = full.operations[name];
    if (!operation) throw new Error(`${service} has no operation ${name}`);
    const errors = (operation.errors ?? []).map(({ shape }) => shape);
    const { input, output, http } = operation;
    for (const shape of [input?.['shape'], output?.['shape'], ...errors] as (string | undefined)[])
      if (shape) reach(full.shapes, shape, used);
    return [
      name,
      {
        http: only(http, KEPT_OF_OPERATIONS),
        ...(input ? { input: only(input, KEPT_OF_OPERATIONS) } : {}),
        ...(output ? { output: only(output, KEPT_OF_OPERATIONS) } : {}),
        errors,
      },
    ] as const;
  });
  const shapes = [...used].sort().map((name) => [name, only(full.shapes[name], KEPT)] as const);
  // A line each, so that what AWS changes is a line of the difference.
  const lines = (entries: readonly (readonly [string, unknown])[]) =>
    entries.map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(',\n');
  return `{
"botocore": ${JSON.stringify(version)},
"protocol": ${JSON.stringify(full.metadata.protocol)},
"operations": {
${lines(operations.sort(([left], [right]) => (left < right ? -1 : 1)))}
},
"shapes": {
${lines(shapes)}
}
}
`;
}

const botocore = process.argv[2] ?? '';
const version = /__version__ = '([^']+)'/.exec(readFileSync(join(botocore, '__init__.py'), 'utf8'))?.[1] ?? '';
for (const service of Object.keys(MODEL_FOLDERS) as ServiceName[]) {
  const file = join(MODELS, `${MODEL_FOLDERS[service]}.json`);
  writeFileSync(file, trim(service, botocore, version));
  console.log(file);
}
