import { createHash } from 'node:crypto';
import { type FSWatcher, realpathSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../core/clock.ts';
import { type Millis, millis } from '../core/units.ts';
import { type Invalid, type Loaded, type LoadOptions, loadConfig } from './load.ts';

export interface WatchOptions {
  /** How the running configuration was loaded; `text` must not be given. */
  readonly load: LoadOptions;
  /** What was loaded at start: its files are watched. */
  readonly current: Loaded | Invalid;
  readonly clock: Pick<Clock, 'after'>;
  /** Gets every new result, also an invalid one, after which the old configuration stays. */
  readonly onChange: (result: Loaded | Invalid) => void;
  /** Quiet time after an event before the files are read. Default 100 ms: editors write in several steps. */
  readonly debounce?: Millis;
  /** Time between looks at the files without an event. Default 5 s: bind mounts and network folders send none. */
  readonly poll?: Millis;
}

export interface ConfigWatch {
  /** Loads now, changed or not (SIGHUP), and delivers the result like every other one. */
  reload(): Loaded | Invalid;
  /** Nothing is delivered afterwards. */
  stop(): void;
}

/**
 * Watches the configuration file and its includes by content.
 *
 * The folders are watched, not the files: editors replace files by renaming, and Kubernetes swaps the link `..data` beside them.
 * An event only says that it is time to look; what counts is whether the text differs.
 */
export function watchConfig(options: WatchOptions): ConfigWatch {
  return new Watcher(options);
}

class Watcher implements ConfigWatch {
  readonly #options: WatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #debounce: Millis;
  readonly #poll: Millis;
  #files: readonly string[];
  #seen: string;
  #timer: Timer | null = null;
  #pollTimer: Timer | null = null;
  #isStopped = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#debounce = options.debounce ?? millis(100);
    this.#poll = options.poll ?? millis(5000);
    this.#files = options.current.files;
    this.#watchFolders();
    // An edit between the start's load and this line differs from what was loaded.
    this.#seen = this.#loadedHash(options.current);
    this.#schedulePoll();
    this.#look();
  }

  reload(): Loaded | Invalid {
    const result = loadConfig(this.#options.load);
    this.#files = result.files;
    this.#seen = this.#hash();
    this.#watchFolders();
    if (!this.#isStopped) this.#options.onChange(result);
    return result;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#pollTimer?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #look(): void {
    if (!this.#isStopped && this.#hash() !== this.#seen) this.reload();
  }

  #touched(): void {
    if (this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(this.#debounce, () => this.#look());
  }

  #schedulePoll(): void {
    if (this.#isStopped) return;
    this.#pollTimer = this.#options.clock.after(this.#poll, () => {
      // Folders that were replaced since then are watched anew.
      this.#watchFolders();
      this.#look();
      this.#schedulePoll();
    });
  }

  #loadedHash(result: Loaded | Invalid): string {
    return result.kind === 'loaded' ? result.filesFingerprint : this.#hash();
  }

  /** Equal to the files' fingerprint while they are what was loaded. */
  #hash(): string {
    const hash = createHash('sha256');
    for (const file of this.#files) {
      const text = this.#read(file);
      hash.update(text === null ? 'unreadable' : `${text.length}:`).update(text ?? '');
    }
    return hash.digest('hex');
  }

  #read(file: string): string | null {
    try {
      return this.#options.load.readFile(file);
    } catch {
      return null;
    }
  }

  #watchFolders(): void {
    if (this.#isStopped) return;
    const wanted = new Set(this.#files.flatMap(foldersOf));
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) if (!this.#watchers.has(folder)) this.#watchFolder(folder);
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#touched());
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(folder);
      });
      this.#watchers.set(folder, watcher);
    } catch {
      // No events from this folder (it is gone, or the limit of watches is reached): polling notices all the same.
    }
  }
}

/** The folder that names the file, and the one that holds it when the name is a link. */
function foldersOf(file: string): readonly string[] {
  try {
    return [dirname(file), dirname(realpathSync(file))];
  } catch {
    return [dirname(file)];
  }
}
