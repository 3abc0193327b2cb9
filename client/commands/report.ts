import type { Command } from 'commander';
import { runCommand } from '../command';
import { withClient } from '../connect';
import { Migrations } from '../migrations';
import { renderReport } from '../render-report';

export function addReport(program: Command): void {
  program
    .command('report <id>')
    .description('what was done, when, approved by whom, proven how')
    .action((id: string, _options, command: Command) =>
      runCommand(command, () =>
        withClient(async (client) => {
          const report = await new Migrations(client).report(id);
          return { text: renderReport(report), json: report };
        }),
      ),
    );
}
