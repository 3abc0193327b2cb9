import { createHash, createHmac } from 'node:crypto';
import { scramVerifier } from '../../../../activities/postgres/scram';

describe('the SCRAM-SHA-256 verifier', () => {
  it('is that of RFC 7677 for its user "user" with password "pencil"', () => {
    const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
    const match = /^SCRAM-SHA-256\$4096:([^$]+)\$([^:]+):(.+)$/.exec(scramVerifier('pencil', salt));
    const [, printedSalt, storedKey, serverKey] = match ?? [];
    expect(printedSalt).toBe('W22ZaJ0SNY7soEsUEjb6gQ==');

    // The exchange of RFC 7677, section 3: proof and server signature are given there.
    const authMessage =
      'n=user,r=rOprNGfwEbeRWgbNEkqO,' +
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,' +
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
    const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64');
    const stored = Buffer.from(storedKey ?? '', 'base64');
    const clientSignature = createHmac('sha256', stored).update(authMessage).digest();
    const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (clientSignature[index] ?? 0)));
    expect(createHash('sha256').update(clientKey).digest()).toEqual(stored);

    const serverSignature = createHmac('sha256', Buffer.from(serverKey ?? '', 'base64'))
      .update(authMessage)
      .digest();
    expect(serverSignature.toString('base64')).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  });

  it('has a salt of its own each time, and never the password', () => {
    const [one, other] = [scramVerifier('geheim'), scramVerifier('geheim')];
    expect(one).not.toBe(other);
    expect(one).not.toContain('geheim');
  });
});
