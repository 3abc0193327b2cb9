import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { copyFileSync, createReadStream, createWriteStream, readFileSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';

/** A tree of files, encrypted if it has a key. */
export interface FileTree {
  readonly directory: string;
  /** 256 bits. */
  readonly key?: Buffer | undefined;
}

/** An encrypted file is the nonce, the data, the tag; the file's path is authenticated with it. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const ALGORITHM = 'aes-256-gcm';
/**
 * Up to this size a file is copied in one piece, without giving way to anybody: an instance has some two thousand, nearly all of them of a few pages, and
 * a stream for each takes ten times as long. A segment of WAL is one of them.
 */
const AT_ONCE_BYTES = 16 * 2 ** 20;

/** Copies a tree, decrypting and encrypting as the keys ask; what was in the target's place is replaced. */
export async function copyTree(source: FileTree, target: FileTree): Promise<void> {
  await rm(target.directory, { recursive: true, force: true });
  await copyDirectory(source, target, '');
}

async function copyDirectory(source: FileTree, target: FileTree, at: string): Promise<void> {
  await mkdir(join(target.directory, at), { recursive: true, mode: 0o700 });
  for (const entry of await readdir(join(source.directory, at), { withFileTypes: true })) {
    const path = at === '' ? entry.name : `${at}/${entry.name}`;
    if (entry.isDirectory()) await copyDirectory(source, target, path);
    else if (entry.isFile()) await copyOne(source, target, path);
  }
}

async function copyOne(source: FileTree, target: FileTree, path: string): Promise<void> {
  const [from, to] = [join(source.directory, path), join(target.directory, path)];
  // Requests are answered in between.
  await setImmediate();
  if (statSync(from).size > AT_ONCE_BYTES + NONCE_BYTES + TAG_BYTES) return copyInPieces(source, target, path);
  if (!source.key && !target.key) return copyFileSync(from, to);
  const data = source.key ? decryptedAtOnce(readFileSync(from), source.key, path) : readFileSync(from);
  writeFileSync(to, target.key ? encryptedAtOnce(data, target.key, path) : data, { mode: 0o600 });
}

function encryptedAtOnce(data: Buffer, key: Buffer, path: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(path));
  return Buffer.concat([nonce, cipher.update(data), cipher.final(), cipher.getAuthTag()]);
}

function decryptedAtOnce(file: Buffer, key: Buffer, path: string): Buffer {
  const decipher = createDecipheriv(ALGORITHM, key, file.subarray(0, NONCE_BYTES))
    .setAAD(Buffer.from(path))
    .setAuthTag(file.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(file.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}

async function copyInPieces(source: FileTree, target: FileTree, path: string): Promise<void> {
  const [from, to] = [join(source.directory, path), join(target.directory, path)];
  if (!source.key && !target.key) return copyFile(from, to);
  const input = source.key ? await decrypted(from, source.key, path) : [createReadStream(from)];
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = target.key ? createCipheriv(ALGORITHM, target.key, nonce).setAAD(Buffer.from(path)) : undefined;
  const stages: (Readable | Transform)[] = [...input, ...(cipher ? [cipher] : [])];
  await pipeline([...stages, createWriteStream(to, { mode: 0o600, start: cipher ? NONCE_BYTES : 0 })]);
  if (cipher) {
    const file = await open(to, 'r+');
    try {
      await file.write(nonce, 0, NONCE_BYTES, 0);
      await file.write(cipher.getAuthTag(), 0, TAG_BYTES, (await file.stat()).size);
    } finally {
      await file.close();
    }
  }
}

async function decrypted(file: string, key: Buffer, path: string): Promise<(Readable | Transform)[]> {
  const nonce = Buffer.alloc(NONCE_BYTES);
  const tag = Buffer.alloc(TAG_BYTES);
  const handle = await open(file, 'r');
  let size: number;
  try {
    ({ size } = await handle.stat());
    await handle.read(nonce, 0, NONCE_BYTES, 0);
    await handle.read(tag, 0, TAG_BYTES, size - TAG_BYTES);
  } finally {
    await handle.close();
  }
  const dataEnd = size - TAG_BYTES - 1;
  const data = dataEnd < NONCE_BYTES ? Readable.from([]) : createReadStream(file, { start: NONCE_BYTES, end: dataEnd });
  return [data, createDecipheriv(ALGORITHM, key, nonce).setAAD(Buffer.from(path)).setAuthTag(tag)];
}
