#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { addAnswers, addBoard, addRequests } from './commands/answer';
import { addPreflight } from './commands/preflight';
import { addReport } from './commands/report';
import { addSetup } from './commands/setup';
import { addStart } from './commands/start';
import { addStatus } from './commands/status';
import { addWatch } from './commands/watch';
import { EXIT } from './exit-codes';

const program = new Command('keyshift')
  .description('moves a live RDS PostgreSQL database onto a new encrypted one')
  .option('--json', 'print JSON')
  .exitOverride();

addSetup(program);
addPreflight(program);
addStart(program);
addStatus(program);
addWatch(program);
addAnswers(program);
addBoard(program);
addRequests(program);
addReport(program);

program.parseAsync().catch((error: unknown) => {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
});
