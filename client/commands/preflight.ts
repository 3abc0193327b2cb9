import type { Command } from 'commander';
import { judgeChecks } from '../../plan/judge-checks';
import { parsePlan } from '../../plan/parse-plan';
import { runCommand, sayOnce } from '../command';
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
    .option('--all', 'every table without a usable replica identity, not the first twenty')
    .action((file: string, options: { id: string; all?: boolean }, command: Command) =>
      runCommand(command, async () => {
        const plan = await readPlan(file);
        const id = checkMigrationId(options.id);
        const { all = false } = options;
        const preflight = await withClient((client) => new Migrations(client).preflight(id, plan, sayOnce(), { all }));
        const stops = judgeChecks(preflight.checks, parsePlan(plan, id)).stops.length;
        return {
          text: `${renderChecks(preflight.checks)}\n\n${stops === 0 ? 'nothing stops the migration' : `${stops} of ${preflight.checks.length} checks stop the migration`}`,
          json: preflight,
          exitCode: stops === 0 ? EXIT.ok : EXIT.blocked,
        };
      }),
    );
}
