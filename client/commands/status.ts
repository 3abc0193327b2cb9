import type { Command } from 'commander';
import type { Progress } from '../../plan/progress';
import { runCommand } from '../command';
import { withClient } from '../connect';
import { EXIT } from '../exit-codes';
import { Migrations } from '../migrations';
import { renderProgress } from '../output';

export const exitCodeOf = ({ status }: Progress): number => (status === 'parked' ? EXIT.parked : EXIT.ok);

export function addStatus(program: Command): void {
  program
    .command('status <id>')
    .description('where a migration stands, and what it waits for')
    .action((id: string, _options, command: Command) =>
      runCommand(command, () =>
        withClient(async (client) => {
          const migrations = new Migrations(client);
          // One after the other: a call under way when the other fails would be tried again on a closed connection.
          const progress = await migrations.progress(id);
          const live = await migrations.live(id);
          return { text: renderProgress(progress, live), json: { ...progress, live }, exitCode: exitCodeOf(progress) };
        }),
      ),
    );
}
