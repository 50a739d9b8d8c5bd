/** One instruction of a Dockerfile, its continued lines joined. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** From one FROM to the next. */
export interface Stage {
  readonly image: string;
  /** What later stages call it, or null. */
  readonly alias: string | null;
  readonly instructions: readonly Instruction[];
}

/** Reads a Dockerfile; knows no parser directives and no here-documents. */
export function stagesOf(dockerfile: string): readonly Stage[] {
  const stages: (Stage & { readonly instructions: Instruction[] })[] = [];
  for (const instruction of instructionsOf(dockerfile)) {
    if (instruction.name !== 'FROM') {
      stages.at(-1)?.instructions.push(instruction);
      continue;
    }
    const [image = '', , alias = null] = instruction.text.split(/\s+/);
    stages.push({ image, alias, instructions: [] });
  }
  return stages;
}

function instructionsOf(dockerfile: string): readonly Instruction[] {
  return dockerfile
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\s*\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => {
      const [, name = '', text = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      if (name === '') throw new Error(`not an instruction: ${line}`);
      return { name, text };
    });
}

/** The words of an instruction in exec form, `["a", "b"]`; null when it is written for a shell. */
export function execForm(text: string): readonly string[] | null {
  return text.startsWith('[') ? (JSON.parse(text) as readonly string[]) : null;
}

/** What a COPY takes, from where, and where it puts it. */
export function copyOf(text: string): {
  readonly from: string | null;
  readonly sources: readonly string[];
  readonly to: string;
} {
  const words = text.split(/\s+/);
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length) ?? null;
  const paths = words.filter((word) => !word.startsWith('--'));
  return { from, sources: paths.slice(0, -1), to: paths.at(-1) ?? '' };
}
