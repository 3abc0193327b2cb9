import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { GATES, type GateName } from '../../plan/gates';
import { runCommand } from '../command';
import { withClient } from '../connect';
import { CommandError, EXIT } from '../exit-codes';
import { Migrations } from '../migrations';

interface AnswerOptions {
  readonly gate: GateName;
  readonly by: string;
  readonly comment?: string;
  readonly opening?: number;
}

const wholeNumber = (text: string): number => {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError('give the number of the opening, for example 2');
};

/** `approve` and `reject`: answer a gate by an update, so that the answer's fate is known at once. */
export function addAnswers(program: Command): void {
  for (const name of ['approve', 'reject'] as const) {
    program
      .command(`${name} <id>`)
      .description(`${name} the open gate of a migration`)
      .addOption(new Option('--gate <gate>', 'the gate that is answered').choices([...GATES]).makeOptionMandatory())
      .option('--by <who>', 'who answers; goes into the report', userInfo().username)
      .option('--comment <text>', 'why; goes into the report')
      .option('--opening <n>', 'answer only this opening of the gate, as status shows it', wholeNumber)
      .action((id: string, options: AnswerOptions, command: Command) =>
        runCommand(command, async () => {
          const answer = await withClient((client) => new Migrations(client)[name](id, options));
          return { text: answer, json: { migration: id, answer } };
        }),
      );
  }
}

/** `abort`, `rollback` and `retry`. */
export function addRequests(program: Command): void {
  program
    .command('abort <id>')
    .description('undo everything that was made, newest first; refused once traffic is on the target')
    .option('--by <who>', 'who asks; goes into the report', userInfo().username)
    .requiredOption('--reason <text>', 'why; goes into the report')
    .action((id: string, options: { by: string; reason: string }, command: Command) =>
      runCommand(command, async () => {
        if (options.reason.trim() === '') throw new CommandError(EXIT.usage, '--reason is empty: say why');
        const answer = await withClient((client) => new Migrations(client).abort(id, options));
        return { text: answer, json: { migration: id, answer } };
      }),
    );
  program
    .command('rollback <id>')
    .description('go back to the source with nothing lost, until the decommission is approved')
    .option('--by <who>', 'who asks; goes into the report', userInfo().username)
    .requiredOption('--reason <text>', 'why; goes into the report')
    .action((id: string, options: { by: string; reason: string }, command: Command) =>
      runCommand(command, async () => {
        if (options.reason.trim() === '') throw new CommandError(EXIT.usage, '--reason is empty: say why');
        const answer = await withClient((client) => new Migrations(client).rollback(id, options));
        return { text: answer, json: { migration: id, answer } };
      }),
    );
  program
    .command('retry <id>')
    .description('go on with a parked migration, after what parked it is mended')
    .option('--by <who>', 'who asks; goes into the report', userInfo().username)
    .action((id: string, options: { by: string }, command: Command) =>
      runCommand(command, async () => {
        const answer = await withClient((client) => new Migrations(client).retry(id, options));
        return { text: answer, json: { migration: id, answer } };
      }),
    );
}
