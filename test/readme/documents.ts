import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dir, '../..');

/** Files of the working tree that git knows or would add; those deleted but not yet committed are left out. */
export function repositoryFiles(): readonly string[] {
  const deleted = new Set(gitFiles('-d'));
  return gitFiles('-co', '--exclude-standard').filter((path) => !deleted.has(path));
}

function gitFiles(...flags: readonly string[]): readonly string[] {
  const { exitCode, stdout, stderr } = Bun.spawnSync(['git', 'ls-files', '-z', ...flags], { cwd: root });
  if (exitCode !== 0) throw new Error(`git ls-files failed: ${stderr}`);
  return stdout.toString().split('\0').filter(Boolean);
}

export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Every page of Markdown, by path. */
export function pages(): ReadonlyMap<string, string> {
  const paths = repositoryFiles().filter((path) => path.endsWith('.md'));
  return new Map(paths.map((path) => [path, read(path)]));
}

/** Commands of a page that are marked `<!-- tested: … -->`, with the lines that it promises. */
export interface Block {
  /** `demo`: against a running gateway. `clone`: in a clean clone. */
  readonly kind: string;
  readonly commands: string;
  readonly promised: readonly string[];
}

/** The marked blocks of a page; a `text` block right behind one is what its commands print, line by line. */
export function testedBlocks(page: string): readonly Block[] {
  const blocks = page.matchAll(/<!-- tested: (\w+) -->\n+```sh\n([\s\S]*?)```\n(?:\n*```text\n([\s\S]*?)```)?/g);
  return [...blocks].map(([, kind = '', commands = '', output = '']) => ({
    kind,
    commands,
    promised: output.split('\n').filter((line) => line.trim() !== ''),
  }));
}

/** Files that a page asks the reader to save: `<!-- file: NAME -->` above the block. */
export function filesToSave(page: string): readonly { readonly name: string; readonly text: string }[] {
  const blocks = page.matchAll(/<!-- file: (\S+) -->\n+```\w+\n([\s\S]*?)```/g);
  return [...blocks].map(([, name = '', text = '']) => ({ name, text }));
}

/** The rows of a page's tables, each as its cells; heads and rules are left out. */
export function tableRows(page: string): readonly (readonly string[])[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[-| ]+\|$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .replaceAll('\\|', '¦')
        .split('|')
        .map((cell) => cell.trim().replaceAll('¦', '|')),
    );
}

/** What stands between backticks; blocks of code are left out. */
export function quoted(text: string): readonly string[] {
  return [...text.replace(/```[\s\S]*?```/g, '').matchAll(/`([^`]+)`/g)].map(([, words = '']) => words);
}
