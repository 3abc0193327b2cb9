import { createHash } from 'node:crypto';
import { printable } from '../plan/printable';
import type { Report } from '../plan/report';
import { titleOf } from './ending';
import { type Element, h, toHtml } from './h';
import { BeforeAfter } from './sections/before-after';
import { Course, Lag, ThePause } from './sections/course';
import { Approvals, Checks, Stopped, Waivers } from './sections/decisions';
import { Headline } from './sections/headline';
import { Leftovers, Notices, PlanAsJson } from './sections/leftovers';
import { Proof } from './sections/proof';
import { Settings } from './sections/settings';
import { STYLE } from './style';

const CONTENTS = [
  ['before-after', 'Before and after'],
  ['course', 'What happened'],
  ['lag', 'Lag'],
  ['the-pause', 'The pause'],
  ['proof', 'Proof'],
  ['approvals', 'Approvals'],
  ['waivers', 'Waivers'],
  ['checks', 'Checks'],
  ['settings', 'Settings'],
  ['leftovers', 'Deleted, and left'],
  ['notices', 'Notices'],
  ['plan', 'Plan'],
] as const;

/**
 * The report as one HTML page that needs nothing else: no script, no request. Its policy forbids both, so that a page that somebody
 * tampered with can't send anything away either.
 */
export function renderPage(report: Report): string {
  const hash = createHash('sha256').update(STYLE).digest('base64');
  const policy = `default-src 'none'; img-src data:; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>\n${printable(
    toHtml(
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta http-equiv="Content-Security-Policy" content={policy} />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <meta name="referrer" content="no-referrer" />
          <meta name="generator" content="keyshift" />
          <title>{`${report.migration}: ${titleOf(report)}`}</title>
          <link rel="icon" href="data:," />
          <style dangerouslySetInnerHTML={{ __html: STYLE }} />
        </head>
        <body>
          <Headline {...report} />
          <main>
            <nav aria-label="Contents">
              <ol>
                {CONTENTS.map(([id, title]) => (
                  <li>
                    <a href={`#${id}`}>{title}</a>
                  </li>
                ))}
              </ol>
            </nav>
            <Shortened {...report} />
            <Stopped {...report} />
            <BeforeAfter {...report} />
            <Course {...report} />
            <Lag {...report} />
            <ThePause {...report} />
            <Proof {...report} />
            <Approvals {...report} />
            <Waivers {...report} />
            <Checks {...report} />
            <Settings {...report} />
            <Leftovers {...report} />
            <Notices {...report} />
            <PlanAsJson {...report} />
          </main>
          <footer>
            Made by Keyshift from the record that Temporal keeps of migration {report.migration}. The same as data:{' '}
            keyshift report {report.migration} --json. Times are UTC.
          </footer>
        </body>
      </html>,
    ),
  )}\n`;
}

/** An honest copy says what it lacks. */
function Shortened({ shortened }: Report): Element | null {
  if (!shortened?.length) return null;
  return (
    <section aria-label="What this copy leaves out">
      <p>This copy leaves out what made it too long; keyshift report has all of it:</p>
      <ul>
        {shortened.map((one) => (
          <li>{one}</li>
        ))}
      </ul>
    </section>
  );
}
