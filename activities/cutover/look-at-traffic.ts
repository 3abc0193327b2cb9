import { type BoardLine, green, red } from '../../plan/board';
import { awsOf, type Dependencies, instanceOf, type MigrationRef } from '../dependencies';
import { endpointOf, requireInstance } from '../rds/find-instance';
import { kindOf } from '../traffic/kinds';
import { placeFor } from '../traffic/prepared-switches';
import { renamingTime } from '../traffic/rds-rename';
import { timed } from './forecast';

/** A switch is written, then read back; each takes about as long as a look. */
const LOOKS_OF_A_SWITCH = 2;

/** Whether every traffic switch can be made now, and how long all of them will take, one after the other. */
export async function lookAtTraffic(
  deps: Dependencies,
  ref: MigrationRef,
): Promise<{ lines: BoardLine[]; ms: number }> {
  const aws = awsOf(deps, ref);
  const [from, to] = [
    endpointOf(await requireInstance(aws, instanceOf(ref, 'source'))),
    endpointOf(await requireInstance(aws, instanceOf(ref, 'target'))),
  ];
  const { traffic } = ref.plan.cutover;
  if (traffic.length === 0) {
    const byHand = `the plan names no traffic switch: point your applications at ${to.address}:${to.port} yourself after the pause`;
    return { lines: green('traffic', byHand), ms: 0 };
  }
  const lines: BoardLine[] = [];
  let ms = 0;
  for (const entry of traffic) {
    const lookMs = await timed(async () => {
      const look = await kindOf(entry).look(placeFor({ deps, ref, from, to }, entry), entry);
      const ofTtl = look.red.filter((text) => isAboutTtl(entry.type, text));
      const shown = look.findings.map(
        (text) => ({ text, code: isAboutTtl(entry.type, text) ? 'dns-ttl' : 'traffic' }) as const,
      );
      lines.push(
        ...red('dns-ttl', ...ofTtl),
        ...red('traffic', ...look.red.filter((text) => !ofTtl.includes(text))),
        ...shown.flatMap(({ code, text }) => green(code, text)),
      );
    });
    // The budget ends where a renaming begins, and so does the forecast.
    if (entry.type === 'rds-rename') lines.push(...green('rename', renamingTime(ref)));
    else ms += LOOKS_OF_A_SWITCH * lookMs;
  }
  return { lines, ms };
}

/** A record that is cached for long can be switched, only late; anything else about it can't be waived. */
const isAboutTtl = (type: string, text: string): boolean => type === 'route53' && /\bTTL\b/.test(text);
