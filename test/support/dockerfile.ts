/** One instruction of a Dockerfile, its lines joined. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** A `COPY` or `ADD`: from the build's context, or from another stage. */
export interface Copy {
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly to: string;
}

export interface Stage {
  readonly name: string;
  /** The image or stage that it begins with. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
  readonly copies: readonly Copy[];
}

/** The stages of a Dockerfile, in their order. Reads as much of the language as ours uses. */
export function stagesOf(dockerfile: string): Stage[] {
  const stages: { name: string; base: string; instructions: Instruction[] }[] = [];
  for (const { name, text } of instructionsOf(dockerfile)) {
    const [, base, as] = /^(\S+) AS (\S+)$/.exec(text) ?? [];
    if (name === 'FROM') stages.push({ name: as ?? '', base: base ?? text, instructions: [] });
    else stages.at(-1)?.instructions.push({ name, text });
  }
  return stages.map((stage) => ({
    ...stage,
    copies: stage.instructions.filter(({ name }) => ['COPY', 'ADD'].includes(name)).map(({ text }) => copyOf(text)),
  }));
}

function instructionsOf(dockerfile: string): Instruction[] {
  const lines = dockerfile.replaceAll(/^\s*#.*\n/gm, '').replaceAll(/\\\n\s*/g, '');
  return lines
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ name: line.split(' ')[0] ?? '', text: line.slice(line.indexOf(' ') + 1).trim() }));
}

function copyOf(text: string): Copy {
  const words = text.split(/\s+/);
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
  const paths = words.filter((word) => !word.startsWith('--'));
  return { from, sources: paths.slice(0, -1), to: paths.at(-1) ?? '' };
}

/** The words of what a container runs, of `CMD`, `ENTRYPOINT` and `HEALTHCHECK` in their exec form. */
export function startWords({ instructions }: Stage): string[] {
  return instructions
    .filter(({ name }) => ['CMD', 'ENTRYPOINT'].includes(name))
    .flatMap(({ text }) => JSON.parse(text) as string[]);
}
