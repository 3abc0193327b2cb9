import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { judgeChecks } from '../../plan/judge-checks';
import { stepOf } from '../../plan/progress';
import type { Report } from '../../plan/report';
import { runCommand, sayOnce } from '../command';
import { withClient } from '../connect';
import { CommandError, EXIT } from '../exit-codes';
import { Migrations } from '../migrations';
import { renderChecks } from '../output';
import { checkMigrationId, readPlan } from '../read-plan';

const LOOK_EVERY_MS = 300;

export function addStart(program: Command): void {
  program
    .command('start <plan>')
    .description('start a migration and wait for its preflight')
    .requiredOption('--id <id>', 'id of the migration, and of its workflow')
    .option('--detach', 'do not wait for the preflight')
    .action((file: string, options: { id: string; detach?: boolean }, command: Command) =>
      runCommand(command, async () => {
        const plan = await readPlan(file);
        const id = checkMigrationId(options.id);
        return withClient(async (client) => {
          const migrations = new Migrations(client);
          await migrations.start(id, plan);
          const watch = `watch it with: keyshift watch ${id}`;
          if (options.detach) return { text: `started ${id}; ${watch}`, json: { migration: id, started: true } };
          const report = await preflightEnded(migrations, id);
          return {
            text: `${renderChecks(report.checks)}\n\nstarted ${id}; ${watch}`,
            json: { migration: id, started: true, checks: report.checks },
          };
        });
      }),
    );
}

const isPast = ({ progress }: Report): boolean => stepOf(progress, 'preflight').status === 'done';

/** @throws CommandError `blocked` when the preflight ended the migration */
async function preflightEnded(migrations: Migrations, id: string) {
  const say = sayOnce();
  for (;;) {
    if (!(await migrations.isRunning(id))) return migrations.result(id);
    await migrations.sayWhatFails(id, say);
    const report = await migrations.report(id);
    const { parked } = report.progress;
    if (parked)
      throw new CommandError(
        EXIT.parked,
        `The preflight of ${id} could not be made: ${parked.type}: ${parked.message}`,
      );
    // A preflight that blocks ends the workflow; the next look finds it ended.
    if (isPast(report) && judgeChecks(report.checks, report.plan).stops.length === 0) return report;
    await sleep(LOOK_EVERY_MS);
  }
}
