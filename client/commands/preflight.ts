import type { Command } from 'commander';
import { blocking } from '../../plan/checks';
import { runCommand } from '../command';
import { withClient } from '../connect';
import { EXIT } from '../exit-codes';
import { Migrations } from '../migrations';
import { renderChecks } from '../output';
import { checkMigrationId, readPlan } from '../read-plan';

export function addPreflight(program: Command): void {
  program
    .command('preflight <plan>')
    .description('check everything that a migration would meet; changes nothing')
    .requiredOption('--id <id>', 'id of the migration')
    .action((file: string, options: { id: string }, command: Command) =>
      runCommand(command, async () => {
        const plan = await readPlan(file);
        const id = checkMigrationId(options.id);
        const preflight = await withClient((client) => new Migrations(client).preflight(id, plan));
        const blocks = blocking(preflight.checks).length;
        return {
          text: `${renderChecks(preflight.checks)}\n\n${blocks === 0 ? 'nothing blocks' : `${blocks} of ${preflight.checks.length} checks block`}`,
          json: preflight,
          exitCode: blocks === 0 ? EXIT.ok : EXIT.blocked,
        };
      }),
    );
}
