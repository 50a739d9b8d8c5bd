import { root } from './keys/root.ts';
import type { Row, Section } from './table.ts';

/** A section of the file under a heading of its own. */
interface Chapter {
  readonly path: string;
  readonly section: Section;
}

const INTRODUCTION = `# Configuration

<!-- Generated from src/config/keys by src/config/reference.ts. Do not edit: UPDATE_REFERENCE=1 npm test -- src/config/reference.test.ts -->

The file is LiteLLM's YAML. This page lists every key that Tollgate knows, section by section:

- **honoured**: does what it does in LiteLLM; keys marked (Tollgate) are ours.
- **approximated**: has an effect that differs; the text says how.
- **not yet**: LiteLLM's, recognised, without effect in this version.
- **without effect**: LiteLLM's, recognised, and there is nothing here for it to do.

A key that is in none of these lists is reported with the nearest known one; under \`--strict\` it is an error. In \`litellm_params\` an
unknown key goes upstream as a member of the body, as in LiteLLM, unless it looks like a mistyped key or a credential.

\`os.environ/NAME\` stands for the environment variable NAME in any value. An empty variable counts as unset. Durations are seconds,
sizes megabytes (1,048,576 bytes), prices US dollars. A switch without a stated default is off; any other key without one is unset.
\`tollgate check FILE\` says what becomes of each key of a file.
`;

/**
 * The reference page of the configuration, in Markdown, from the table that the gateway itself checks files with.
 *
 * Sections that stand in several places (\`litellm_params\`) are written once and referred to. Pure.
 *
 * @returns the committed file's exact text (`docs/reference/configuration.md`)
 */
export function referenceText(): string {
  const chapters = chaptersOf(root);
  const headings = new Map(chapters.map(({ path, section }) => [section, path]));
  const top = { path: 'The top of the file', section: root };
  return `${[INTRODUCTION, ...[top, ...chapters].map((chapter) => render(chapter, headings))].join('\n')}`;
}

/** Every section below one, each once, in the order of the file. */
function chaptersOf(start: Section): readonly Chapter[] {
  const found: Chapter[] = [];
  const seen = new Set<Section>([start]);
  const visit = (section: Section, path: string): void => {
    for (const [key, { below }] of Object.entries(section)) {
      if (below === null || seen.has(below.section)) continue;
      seen.add(below.section);
      const under = `${path === '' ? '' : `${path}.`}${key}${{ map: '', items: '[]', values: '.NAME' }[below.kind]}`;
      found.push({ path: under, section: below.section });
      visit(below.section, under);
    }
  };
  visit(start, '');
  return found;
}

function render({ path, section }: Chapter, headings: ReadonlyMap<Section, string>): string {
  const rows = Object.entries(section);
  const effective = rows.filter(([, row]) => row.fate !== 'ignored');
  const parts = [`## ${path}`, ''];
  if (effective.length > 0) {
    parts.push('| key | value | default | |', '|---|---|---|---|');
    parts.push(...tableLines(effective, headings), '');
  }
  parts.push(...reasons('Not yet', rows, (note) => after(note, 'not yet honoured: ')));
  parts.push(...reasons('Without effect', rows, (note) => (note.startsWith('not yet honoured') ? null : note)));
  return parts.join('\n');
}

/** One line for each meaning: keys of which the same is to be said share one. */
function tableLines(
  rows: readonly (readonly [string, Row])[],
  headings: ReadonlyMap<Section, string>,
): readonly string[] {
  const lines = new Map<string, string[]>();
  for (const [key, row] of rows) {
    const cells = otherCells(row, headings);
    lines.set(cells, [...(lines.get(cells) ?? []), `\`${key}\``]);
  }
  return [...lines].map(([cells, keys]) => `| ${keys.join(', ')} | ${cells} |`);
}

function otherCells(row: Row, headings: ReadonlyMap<Section, string>): string {
  const { meaning, standard } = splitNote(row.note);
  const fate = row.fate === 'honoured' ? '' : '**Approximated.** ';
  const heading = row.below === null ? undefined : headings.get(row.below.section);
  const see = heading === undefined ? '' : ` See [${heading}](#${anchor(heading)}).`;
  return [expected(row), standard, fate + meaning + see].map(cell).join(' | ');
}

/** The note without its sentence on the default, and what that sentence says. */
function splitNote(note: string): { readonly meaning: string; readonly standard: string } {
  const found = /(?:^| )Default:? (.+?)(?:\.(?= |$)|; |$)/.exec(note);
  if (found === null) return { meaning: note, standard: '' };
  const rest = note.slice(found.index + found[0].length).trim();
  const meaning = `${note.slice(0, found.index)}${rest === '' ? '' : ` (${rest.replace(/\.$/, '')}.)`}`;
  return { meaning: meaning.trim(), standard: found[1] ?? '' };
}

/** What the value must be, in the words that the check of a file uses. */
function expected({ schema }: Row): string {
  // No key takes a symbol, so that every schema says what it would have liked; those that take anything say nothing.
  const { error } = schema.safeParse(Symbol('no value'));
  return error?.issues[0]?.message ?? 'anything';
}

/** Keys without effect as a list of reasons, each with its keys. */
function reasons(
  title: string,
  rows: readonly (readonly [string, Row])[],
  reasonOf: (note: string) => string | null,
): readonly string[] {
  const groups = new Map<string, string[]>();
  for (const [key, { fate, note }] of rows) {
    const reason = fate === 'ignored' ? reasonOf(note) : null;
    if (reason !== null) groups.set(reason, [...(groups.get(reason) ?? []), `\`${key}\``]);
  }
  if (groups.size === 0) return [];
  return [`${title}:`, '', ...[...groups].map(([reason, keys]) => `- ${reason}: ${keys.join(', ')}`), ''];
}

function after(text: string, prefix: string): string | null {
  return text.startsWith(prefix) ? text.slice(prefix.length) : null;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** The fragment that Markdown renderers make of a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^a-z0-9_ -]/g, '')
    .replaceAll(' ', '-');
}
