import type * as fs from 'node:fs';
import { join } from 'node:path';
import { type Lock, takeLock } from './lock.ts';
import { mostBytes, payloadOf, writeRecord } from './record.ts';

/** The part of `node:fs` that the ledger uses; tests put a disk without space in its place. */
export type FileSystem = Pick<
  typeof fs,
  | 'closeSync'
  | 'existsSync'
  | 'fdatasync'
  | 'fstatSync'
  | 'fsync'
  | 'ftruncateSync'
  | 'mkdirSync'
  | 'openSync'
  | 'read'
  | 'readFileSync'
  | 'readdirSync'
  | 'renameSync'
  | 'rmdirSync'
  | 'statSync'
  | 'unlinkSync'
  | 'writeFileSync'
  | 'writeSync'
>;

/** A place in the journal of a run: the segment's number, and a byte of it. */
export interface Position {
  readonly segment: number;
  readonly offset: number;
}

export const START: Position = { segment: 0, offset: 0 };

/**
 * The journal of one process: a folder of its own, which nobody else writes, under the ledger's folder.
 *
 *     ledger/
 *       20261123T054000123Z-4711-9f3a/   one run, named so that names sort by age
 *         lock                           held while its owner lives
 *         00000001.journal               segments
 *         confirmed                      up to where the store has everything
 *       quarantine/                      copies of damaged stretches
 */
export interface Run {
  readonly name: string;
  readonly folder: string;
  readonly lock: Lock;
}

const LOCK = 'lock';
const CONFIRMED = 'confirmed';
const QUARANTINE = 'quarantine';
const SEGMENT = /^(\d{8})\.journal$/;

/**
 * Makes the folder of a new run and locks it.
 *
 * It gets its name only when it is locked, so that nobody who starts at the same moment takes it for a dead one.
 *
 * @throws when there is a run of this name, or the folder cannot be made
 */
export function createRun(files: FileSystem, root: string, name: string): Run {
  const folder = join(root, name);
  if (files.existsSync(folder)) throw new Error(`there is a journal ${folder} already`);
  const hidden = join(root, `.${name}`);
  files.mkdirSync(hidden, { recursive: true });
  const lock = takeLock(join(hidden, LOCK));
  if (lock === null) throw new Error(`somebody else makes a journal ${folder} at this moment`);
  files.renameSync(hidden, folder);
  return { name, folder, lock };
}

/**
 * Takes over every run whose owner is gone, oldest first.
 *
 * @param own runs that this process has already; to ask for their locks would cost a file descriptor each time
 */
export function adoptRuns(files: FileSystem, root: string, own: ReadonlySet<string>): readonly Run[] {
  return runNames(files, root).flatMap((name) => {
    const folder = join(root, name);
    const lock = own.has(name) ? null : lockOf(files, folder);
    return lock === null ? [] : [{ name, folder, lock }];
  });
}

/** The lock of a run whose owner is gone; null when it lives, or when another process removes the run meanwhile. */
function lockOf(files: FileSystem, folder: string): Lock | null {
  let lock: Lock | null = null;
  try {
    lock = takeLock(join(folder, LOCK));
  } catch (error) {
    if (files.existsSync(folder)) throw error;
  }
  if (lock === null || files.existsSync(folder)) return lock;
  lock.release();
  return null;
}

/** Names of all runs, of the living and the dead, oldest first. */
export function runNames(files: FileSystem, root: string): readonly string[] {
  const found = files.readdirSync(root, { withFileTypes: true });
  return found
    .filter((each) => each.isDirectory() && each.name !== QUARANTINE && !each.name.startsWith('.'))
    .map(({ name }) => name)
    .toSorted();
}

/** Removes a run that the store has in full; what is no file of ours stays, and the folder with it. */
export function removeRun(files: FileSystem, run: Run): void {
  for (const number of segmentNumbers(files, run.folder)) files.unlinkSync(segmentPath(run.folder, number));
  for (const name of [CONFIRMED, LOCK]) {
    if (files.existsSync(join(run.folder, name))) files.unlinkSync(join(run.folder, name));
  }
  try {
    files.rmdirSync(run.folder);
  } catch {
    // A stranger's file, or the lock that another process looks for at this moment; who gets it removes the folder.
  }
  run.lock.release();
}

export function segmentPath(folder: string, number: number): string {
  return join(folder, `${String(number).padStart(8, '0')}.journal`);
}

/** Numbers of the segments that are there, ascending. */
export function segmentNumbers(files: FileSystem, folder: string): readonly number[] {
  return files
    .readdirSync(folder)
    .flatMap((name) => SEGMENT.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b);
}

/** Bytes of all segments of a run. */
export function runBytes(files: FileSystem, folder: string): number {
  return segmentNumbers(files, folder).reduce(
    (sum, number) => sum + files.statSync(segmentPath(folder, number)).size,
    0,
  );
}

/**
 * Notes up to where the store has everything.
 *
 * Not synced, and a failure does not matter: what it forgets is written twice, which changes nothing. The checksum of
 * its record turns half a note into no note.
 */
export function noteConfirmed(files: FileSystem, folder: string, { segment, offset }: Position): void {
  const payload = `C${segment},${offset}`;
  const record = Buffer.alloc(mostBytes(payload));
  const end = writeRecord(record, 0, payload);
  try {
    files.writeFileSync(join(folder, CONFIRMED), record.subarray(0, end));
  } catch {}
}

/** What `noteConfirmed` noted last; the start when there is no note. */
export function readConfirmed(files: FileSystem, folder: string): Position {
  const path = join(folder, CONFIRMED);
  const payload = files.existsSync(path) ? payloadOf(files.readFileSync(path)) : null;
  const [segment = 0, offset = 0] = payload === null ? [] : payload.slice(1).split(',').map(Number);
  return { segment, offset };
}

/**
 * Keeps a copy of a damaged stretch; the same stretch has the same name, however often it is read.
 *
 * @returns the path of the copy
 */
export function quarantine(files: FileSystem, root: string, name: string, bytes: Buffer): string {
  const folder = join(root, QUARANTINE);
  files.mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  files.writeFileSync(path, bytes);
  return path;
}
