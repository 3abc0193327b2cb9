import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { redLines } from '../../plan/board';
import { GATES, type GateName } from '../../plan/gates';
import { runCommand, sayOnce } from '../command';
import { withClient } from '../connect';
import { CommandError, EXIT } from '../exit-codes';
import { Migrations } from '../migrations';
import { renderBoard } from '../output';

interface AnswerOptions {
  readonly gate: GateName;
  readonly by: string;
  readonly comment?: string;
  readonly opening?: number;
  readonly waive?: string[];
}

const wholeNumber = (text: string): number => {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError('give the number of the opening, for example 2');
};

/** `approve` and `reject`: answer a gate by an update, so that the answer's fate is known at once. */
export function addAnswers(program: Command): void {
  for (const name of ['approve', 'reject'] as const) {
    const answer = program
      .command(`${name} <id>`)
      .description(`${name} the open gate of a migration`)
      .addOption(new Option('--gate <gate>', 'the gate that is answered').choices([...GATES]).makeOptionMandatory())
      .option('--by <who>', 'who answers; goes into the report', userInfo().username)
      .option('--comment <text>', 'why; goes into the report')
      .option('--opening <n>', 'answer only this opening of the gate, as status shows it', wholeNumber);
    if (name === 'approve') {
      answer.option('--waive <code...>', 'red lines of the board that you let pass; --comment says why');
    }
    answer.action((id: string, options: AnswerOptions, command: Command) =>
      runCommand(command, async () => {
        const said = await withClient((client) => new Migrations(client)[name](id, options));
        return { text: said, json: { migration: id, answer: said } };
      }),
    );
  }
}

/** `go-no-go`, `waive` and `switched`: what is asked and said around the cutover. */
export function addBoard(program: Command): void {
  program
    .command('go-no-go <id>')
    .description('look at the board before the cutover; exit code 0: go')
    .action((id: string, _options, command: Command) =>
      runCommand(command, async () => {
        const progress = await withClient((client) => new Migrations(client).goNoGo(id, sayOnce()));
        const { board } = progress;
        if (!board) throw new CommandError(EXIT.refused, 'There is no board yet: try again in a moment.');
        const go = redLines(board.lines).length === 0;
        const exitCode = go ? EXIT.ok : EXIT.refused;
        return { text: renderBoard(board, progress), json: { migration: id, go, ...board }, exitCode };
      }),
    );
  program
    .command('waive <id>')
    .description('let a red line of the board pass; holds until the line is green again')
    .requiredOption('--code <code>', 'the code of the line, as go-no-go shows it')
    .option('--by <who>', 'who waives it; goes into the report', userInfo().username)
    .requiredOption('--reason <text>', 'why; goes into the report')
    .action((id: string, options: { code: string; by: string; reason: string }, command: Command) =>
      runCommand(command, async () => {
        const answer = await withClient((client) => new Migrations(client).waive(id, options));
        return { text: answer, json: { migration: id, answer } };
      }),
    );
  program
    .command('switched <id>')
    .description('say that you have moved the traffic, where the plan has the switch "manual"')
    .option('--by <who>', 'who moved it; goes into the report', userInfo().username)
    .action((id: string, options: { by: string }, command: Command) =>
      runCommand(command, async () => {
        const answer = await withClient((client) => new Migrations(client).switched(id, options));
        return { text: answer, json: { migration: id, answer } };
      }),
    );
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
    .description('go on with a parked migration, after what parked it is fixed')
    .option('--by <who>', 'who asks; goes into the report', userInfo().username)
    .action((id: string, options: { by: string }, command: Command) =>
      runCommand(command, async () => {
        const answer = await withClient((client) => new Migrations(client).retry(id, options));
        return { text: answer, json: { migration: id, answer } };
      }),
    );
}
