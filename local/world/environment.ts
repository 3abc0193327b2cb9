import { dirname } from 'node:path';

/** Where the parts of a world are. */
export interface WorldAddresses {
  readonly awsEndpoint: string;
  readonly region: string;
  readonly caBundle: string;
  readonly temporalAddress: string;
  readonly uiUrl: string;
}

/** The variables by which any program uses a world: AWS's own, Temporal's own, and two of ours. */
export function worldVariables(world: WorldAddresses): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: world.awsEndpoint,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_REGION: world.region,
    AWS_DEFAULT_REGION: world.region,
    TEMPORAL_ADDRESS: world.temporalAddress,
    TEMPORAL_NAMESPACE: 'default',
    KEYSHIFT_RDS_CA_BUNDLE: world.caBundle,
    KEYSHIFT_UI_URL: world.uiUrl,
  };
}

/** Variables of the user's own AWS and Temporal set-up, which must not reach into the embedded world. */
const FOREIGN = /^(AWS_(?!SDK_JS_)|TEMPORAL_)/;

/** The environment for processes of a world: ours without whatever points at another AWS or Temporal. */
export function childEnvironment(
  base: NodeJS.ProcessEnv,
  variables: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const inherited = Object.entries(base).filter(([name]) => !FOREIGN.test(name));
  return { ...Object.fromEntries(inherited), ...variables };
}

/** The lines of `.keyshift/local.env`, for `source` in another shell. */
export function exportLines(variables: Readonly<Record<string, string>>, temporalCli: string): string {
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}`);
  return `${[...lines, `export PATH=${quoted(dirname(temporalCli))}:"$PATH"`].join('\n')}\n`;
}

/** Quoted for a POSIX shell, where that is needed. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
