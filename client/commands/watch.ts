import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { runCommand } from '../command';
import { withClient } from '../connect';
import { EXIT } from '../exit-codes';
import { printable, printableLine } from '../../plan/printable';
import { Migrations } from '../migrations';
import { renderProgress } from '../output';

const LOOK_EVERY_MS = 1_000;
const CLEAR = '\u001b[2J\u001b[H';

export function addWatch(program: Command): void {
  program
    .command('watch <id>')
    .description('follow a migration until it ends; on a terminal as a live picture, else a line of JSON per change')
    .action((id: string, _options, command: Command) =>
      runCommand(command, () =>
        withClient(async (client) => {
          const migrations = new Migrations(client);
          const { json } = command.optsWithGlobals<{ json?: boolean }>();
          let shown = '';
          for (;;) {
            // One after the other: a call under way when the other fails would be tried again on a closed connection.
            const progress = await migrations.progress(id);
            const live = await migrations.live(id);
            const text = json ? printableLine({ ...progress, live }) : printable(renderProgress(progress, live));
            if (!(await migrations.isRunning(id))) {
              return {
                text,
                json: { ...progress, live },
                exitCode: progress.status === 'completed' ? EXIT.ok : EXIT.failed,
              };
            }
            if (text !== shown) process.stdout.write(process.stdout.isTTY && !json ? `${CLEAR}${text}\n` : `${text}\n`);
            shown = text;
            await sleep(LOOK_EVERY_MS);
          }
        }),
      ),
    );
}
