import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Report } from '../../plan/report';
import { REPORT_FORMATS } from '../../evidence/files';
import { type Outcome, runCommand } from '../command';
import { withClient } from '../connect';
import { CommandError, EXIT } from '../exit-codes';
import { Migrations } from '../migrations';
import { readReport } from '../read-report';
import { renderReport } from '../render-report';

interface ReportOptions {
  readonly html?: boolean;
  readonly json?: boolean;
  readonly out?: string;
  readonly from?: string;
}

export function addReport(program: Command): void {
  program
    .command('report [id]')
    .description('what was done, when, approved by whom, proven how')
    .option('--html', 'one page for a browser or a printer, which needs nothing else')
    .option('--out <file>', 'write it there')
    .option('--from <report.json>', 'of a report that was saved as JSON; needs no server')
    .action((id: string | undefined, _options, command: Command) =>
      runCommand(command, async () => {
        const options = command.optsWithGlobals<ReportOptions>();
        if (options.html && options.json) throw new CommandError(EXIT.usage, 'give one of --html and --json');
        const report = await find(id, options.from);
        return options.out === undefined ? printed(report, options) : written(report, options, options.out);
      }),
    );
}

async function find(id: string | undefined, from: string | undefined): Promise<Report> {
  if (from === undefined) {
    if (id === undefined) throw new CommandError(EXIT.usage, 'give the id of a migration, or --from <report.json>');
    return withClient((client) => new Migrations(client).report(id));
  }
  const report = await readReport(from);
  if (id === undefined || id === report.migration) return report;
  throw new CommandError(EXIT.usage, `${from} is the report of migration ${report.migration}, not of ${id}`);
}

/** `--json` is printed by whoever prints outcomes. */
const printed = (report: Report, { html }: ReportOptions): Outcome => ({
  text: html ? REPORT_FORMATS.html.write(report).trimEnd() : renderReport(report),
  json: report,
});

async function written(report: Report, { html, json }: ReportOptions, file: string): Promise<Outcome> {
  const text = html
    ? REPORT_FORMATS.html.write(report)
    : json
      ? REPORT_FORMATS.json.write(report)
      : `${renderReport(report)}\n`;
  try {
    await writeFile(file, text);
  } catch (error) {
    throw new CommandError(EXIT.usage, `${file} can't be written: ${(error as Error).message}`);
  }
  const bytes = Buffer.byteLength(text);
  const sha256 = createHash('sha256').update(text).digest('hex');
  return { text: `written to ${file}: ${bytes} bytes, sha256 ${sha256}`, json: { file, bytes, sha256 } };
}
