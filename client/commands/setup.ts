import type { Command } from 'commander';
import { registerSearchAttributes } from '../../plan/register-search-attributes';
import { runCommand } from '../command';
import { withClient } from '../connect';

export function addSetup(program: Command): void {
  program
    .command('setup')
    .description('register the search attributes in the Temporal namespace')
    .action((_options, command: Command) =>
      runCommand(command, () =>
        withClient(async (client, connection) => {
          const { namespace } = client.options;
          const registered = await registerSearchAttributes(connection.operatorService, namespace);
          return {
            text:
              registered.length > 0
                ? `registered ${registered.join(', ')}`
                : 'search attributes are registered already',
            json: { namespace, registered },
          };
        }),
      ),
    );
}
