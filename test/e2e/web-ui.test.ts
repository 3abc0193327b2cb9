import { browserPath, openBrowser } from '../support/browser';
import { approve, gateIsOpen, MIGRATION, planFile, sample, start, untilProgress } from './support/migration';
import { inWorld } from './support/worlds';

/** The Web UI is our first user interface: looked at in a real browser. */

// A machine without a browser can't look; `.ci/run` installs one.
(browserPath ? test : test.skip)(
  'the Web UI shows the phase table, the open gate and the command that answers it',
  () =>
    inWorld('web-ui', async (world) => {
      await sample(world, 500);
      await world.startWorker();
      await start(world, planFile(world));
      await untilProgress(world, 'the reboot gate is open', gateIsOpen('reboot-source'));

      const browser = await openBrowser(world.root);
      try {
        const page = await browser.newPage({ viewport: { width: 1400, height: 1500 } });
        const { stdout } = await world.temporal(['workflow', 'describe', '--workflow-id', MIGRATION, '-o', 'json']);
        const { workflowExecutionInfo } = JSON.parse(stdout) as {
          workflowExecutionInfo: { execution: { runId: string } };
        };
        const workflow = `${world.uiUrl}/namespaces/default/workflows/${MIGRATION}/${workflowExecutionInfo.execution.runId}`;

        await page.goto(`${workflow}/user-metadata`);
        // The details are Markdown in a frame of their own.
        const details = page.locator('iframe').first().contentFrame();
        await details.getByText('Waiting for approval: reboot-source').waitFor({ timeout: 30_000 });
        for (const text of ['phase', 'preflight', 'parameters', 'go-no-go', 'decommission']) {
          await details.getByRole('table').getByText(text, { exact: true }).first().waitFor();
        }
        const command = await details.locator('pre').first().innerText();
        expect(command).toContain(`--workflow-id ${MIGRATION}`);
        expect(command).toContain('"gate":"reboot-source"');

        await page.goto(`${workflow}/timeline`);
        await page.getByText('waiting for approval: reboot-source').first().waitFor({ timeout: 30_000 });
        await page.getByText('check everything, change nothing').first().waitFor();

        // What the page tells to type is what opens the gate.
        await approve(world, 'reboot-source');
        await untilProgress(world, 'the gate is passed', ({ gate }) => gate === undefined);
      } finally {
        await browser.close();
      }
    }),
);
