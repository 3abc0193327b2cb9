import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority } from '../postgres/certificates';
import type { Places } from './places';

/** Makes the stand-in's certificate authority unless it is there, and writes the bundle that clients verify servers with. */
export async function prepareAuthority(places: Places): Promise<void> {
  const [certificate, key] = [join(places.stateDir, 'ca.pem'), join(places.stateDir, 'ca.key')];
  if (!existsSync(certificate)) {
    const authority = await createAuthority('Keyshift local RDS root CA');
    writeFileSync(key, authority.privateKeyPem, { mode: 0o600 });
    writeFileSync(certificate, authority.certificatePem);
  }
  for (const bundle of new Set([places.caBundle, places.serverCaBundle])) {
    writeFileSync(bundle, readFileSync(certificate));
    chmodSync(bundle, 0o644);
  }
}
