import { relative } from 'node:path';
import { REPOSITORY } from '../tools/paths';
import type { Report } from '../tools/report';
import { CommandError } from '../tools/run-command';
import { quoted } from '../world/environment';
import { queryWorkflow } from '../world/query-workflow';
import type { World } from '../world/world';
import type { Progress } from './progress';

/** How a workflow stands, as `temporal workflow describe` says. */
export interface Description {
  /** `RUNNING`, `COMPLETED`, `FAILED`... */
  readonly status: string;
  readonly historyEvents: number;
  readonly historyBytes: number;
}

/** What the query `report` answers, as far as the demo uses it. */
export interface MigrationReport {
  readonly status: string;
  readonly plan?: { readonly strategy?: string };
  readonly cutover?: CutoverReport;
  readonly proof?: ProofReport;
  /** The same of the way back, if it was gone. */
  readonly rollback?: { readonly cutover?: CutoverReport; readonly proof?: ProofReport };
}

interface CutoverReport {
  readonly timeline: readonly { readonly step: string; readonly ms: number }[];
  readonly switchedAt: string;
}

interface ProofReport {
  readonly rows: number;
  readonly tables: number;
  readonly differences: readonly unknown[] | null;
  readonly provenAt?: string;
}

/** Everything that the demo does to the migration, by the Temporal CLI as a user would; shows the commands that matter. */
export class TemporalCommands {
  constructor(
    private readonly world: World,
    private readonly workflowId: string,
    private readonly report: Report,
  ) {}

  start(planFile: string): Promise<void> {
    const what = ['--task-queue', 'keyshift', '--type', 'migrateDatabase', '--workflow-id', this.workflowId];
    return this.shown(['workflow', 'start', ...what, '--input-file', relative(REPOSITORY, planFile)]);
  }

  approve(gate: string): Promise<void> {
    const input = JSON.stringify({ gate, by: 'demo' });
    return this.shown(['workflow', 'signal', '--workflow-id', this.workflowId, '--name', 'approve', '--input', input]);
  }

  /** Answers a gate with no. */
  reject(gate: string): Promise<void> {
    const input = JSON.stringify({ gate, by: 'demo' });
    return this.shown(['workflow', 'signal', '--workflow-id', this.workflowId, '--name', 'reject', '--input', input]);
  }

  rollback(reason: string): Promise<void> {
    const input = JSON.stringify({ by: 'demo', reason });
    return this.shown(['workflow', 'signal', '--workflow-id', this.workflowId, '--name', 'rollback', '--input', input]);
  }

  progress(): Promise<Progress> {
    return this.query<Progress>('progress');
  }

  migrationReport(): Promise<MigrationReport> {
    return this.query<MigrationReport>('report');
  }

  async describe(): Promise<Description> {
    const ask = ['workflow', 'describe', '--workflow-id', this.workflowId, '-o', 'json'];
    const { stdout } = await this.world.temporal(ask);
    const { workflowExecutionInfo: info } = JSON.parse(stdout) as {
      workflowExecutionInfo: { status: string; historyLength?: string; historySizeBytes?: string };
    };
    return {
      status: info.status.replace('WORKFLOW_EXECUTION_STATUS_', ''),
      historyEvents: Number(info.historyLength ?? 0),
      historyBytes: Number(info.historySizeBytes ?? 0),
    };
  }

  /** Why a workflow that has ended failed, as the CLI tells it. */
  async failure(): Promise<string> {
    const ask = ['workflow', 'result', '--workflow-id', this.workflowId];
    const end = await this.world.temporal(ask).catch((error: unknown) => error);
    return end instanceof CommandError ? `${end.stdout}${end.stderr}`.trim() : 'no reason known';
  }

  private query<T>(type: string): Promise<T> {
    return queryWorkflow<T>(this.world, this.workflowId, type);
  }

  private async shown(args: readonly string[]): Promise<void> {
    this.report(`$ temporal ${args.map(quoted).join(' ')}`);
    await this.world.temporal(args);
  }
}
