import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { renderPage } from '../../evidence/page';
import type { Report } from '../../plan/report';
import { browserPath, openBrowser } from '../support/browser';
import { ENDED } from '../support/ended-reports';
import { recordedReport } from '../support/reports';

/** The page of the report in a real browser, as an auditor opens it: from a file. */

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const SCREENSHOT = join(__dirname, '..', '..', 'docs', 'images', 'report.png');

/** Each end has a page of its own. */
const REPORTS: [string, Report][] = ENDED.map(([end, make]) => [end, make()]);
const SCHEMES = ['light', 'dark'] as const;
/** A desk, a telephone. */
const WIDTHS = [1_100, 390];

// A machine without a browser can't look; `.ci/run` installs one.
(browserPath ? describe : describe.skip)('the page of the report', () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyshift-page-'));
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser(folder);
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  /** Opens a report, does something with its page, and answers what it asked for and complained of meanwhile. */
  async function opened(
    html: string,
    options: { colorScheme?: 'light' | 'dark'; width?: number },
    work: (page: Page) => Promise<void>,
  ): Promise<{ requests: string[]; complaints: string[]; refused: string[] }> {
    const file = join(folder, 'report.html');
    writeFileSync(file, html);
    const { colorScheme = 'light', width = 1_100 } = options;
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 1_250 } });
    const requests: string[] = [];
    const complaints: string[] = [];
    const refused: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('requestfailed', (request) => refused.push(`${request.url()}: ${request.failure()?.errorText}`));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    try {
      await page.goto(pathToFileURL(file).href);
      await work(page);
    } finally {
      await page.close();
    }
    return {
      requests: requests.filter((url) => url !== pathToFileURL(file).href && url !== 'data:,'),
      complaints,
      refused,
    };
  }

  /** What axe finds wrong, serious or worse, with where. Run by the debugger: the page's own policy permits no script. */
  async function violations(page: Page): Promise<string[]> {
    await page.evaluate(AXE);
    const found = await page.evaluate<AxeResults>('axe.run(document, { resultTypes: ["violations"] })');
    expect(found.passes.length).toBeGreaterThan(10);
    return found.violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`));
  }

  const cases = REPORTS.flatMap(([name, report]) =>
    SCHEMES.flatMap((scheme) => WIDTHS.map((width) => [name, scheme, width, report] as const)),
  );

  test.each(cases)(
    '%s, %s, %i pixels wide: everybody can read it, and it asks for nothing',
    async (_name, colorScheme, width, report) => {
      const seen = await opened(renderPage(report), { colorScheme, width }, async (page) => {
        expect(await violations(page)).toEqual([]);
        const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
        expect(await page.evaluate(overflow)).toBe(0);
        const dark = await page.evaluate('getComputedStyle(document.body).backgroundColor');
        expect(dark).toBe(colorScheme === 'dark' ? 'rgb(18, 22, 28)' : 'rgb(255, 255, 255)');
      });
      expect(seen).toEqual({ requests: [], complaints: [], refused: [] });
    },
  );

  test('axe finds what is wrong with a page that is wrong', async () => {
    const html = renderPage(recordedReport()).replaceAll('role="img"', 'role="imag"').replace('lang="en"', '');
    await opened(html, {}, async (page) => {
      expect((await violations(page)).join('\n')).toMatch(/html-has-lang[\s\S]*|aria-roles/);
    });
  });

  test('its policy stops what somebody put into it', async () => {
    const html = renderPage(recordedReport()).replace(
      '</main>',
      '<img src="https://example.com/pixel.png"><script>document.title = "taken"</script></main>',
    );
    const seen = await opened(html, {}, async (page) => {
      expect(await page.title()).not.toBe('taken');
    });
    expect(seen.refused).toEqual(['https://example.com/pixel.png: csp']);
    expect(seen.complaints.join('\n')).toContain('Content Security Policy');
  });

  test('its pictures are drawn: bars, a line, a mark for each answer', async () => {
    const report = recordedReport();
    await opened(renderPage(report), {}, async (page) => {
      const started = report.progress.steps.filter(({ startedAt }) => startedAt).length;
      expect(await page.locator('svg[aria-labelledby^="timeline"] rect.bar').count()).toBe(started);
      expect(await page.locator('svg .mark').count()).toBe(report.progress.approvals.length);
      expect(await page.locator('svg[aria-labelledby^="pause"] rect.bar').count()).toBe(
        report.cutover?.timeline.length,
      );
      expect(await page.locator('svg[aria-labelledby^="lag"] circle').count()).toBe(report.lagHistory?.length);
      for (const picture of await page.locator('svg').all()) {
        const box = await picture.boundingBox();
        expect(box?.width).toBeGreaterThan(600);
        expect(box?.height).toBeGreaterThan(100);
      }
    });
  });

  test('it goes to paper as it is on the screen, in light', async () => {
    await opened(renderPage(recordedReport()), { colorScheme: 'dark' }, async (page) => {
      await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
      expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)');
      const paper = await page.pdf({ format: 'A4' });
      expect(paper.subarray(0, 5).toString()).toBe('%PDF-');
    });
  });

  // For the README: KEYSHIFT_SCREENSHOT=1 npm test -- test/e2e/report-page --selectProjects e2e
  (process.env['KEYSHIFT_SCREENSHOT'] ? test : test.skip)('a picture of it', async () => {
    await opened(renderPage(recordedReport()), {}, async (page) => {
      await page.setViewportSize({ width: 1_100, height: 1_900 });
      writeFileSync(SCREENSHOT, await page.screenshot());
    });
  });
});
