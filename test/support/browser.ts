import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const CANDIDATES = [
  process.env['KEYSHIFT_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
/** A browser of this machine; undefined: it has none. */
export const browserPath = CANDIDATES.find((path) => path !== undefined && existsSync(path));

const ARGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-quic'];

/** Starts it. `home`: where it may write; what it keeps there goes with that folder. */
export function openBrowser(home: string): Promise<Browser> {
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home };
  return chromium.launch({ executablePath: browserPath as string, args: ARGS, env });
}
