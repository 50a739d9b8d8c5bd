import { readFileSync } from 'node:fs';

/** What a command may touch; tests give their own. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readFile(path: string): string;
  write(text: string | Uint8Array): void;
  writeError(text: string): void;
}

/** The process's own. */
export const processIo: Io = {
  env: process.env,
  readFile: (path) => readFileSync(path, 'utf8'),
  write: (text) => void process.stdout.write(text),
  writeError: (text) => void process.stderr.write(text),
};
