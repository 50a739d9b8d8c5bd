import * as nodeFiles from 'node:fs';
import { join } from 'node:path';
import type { RequestId } from '../core/ids.ts';
import type { BegunRequest, LedgerEntry } from '../core/ledger-entry.ts';
import type { NanoUsd } from '../core/units.ts';
import { damagesOf, noteOpen } from './batches.ts';
import type { Damage } from './ports.ts';
import { type Chunk, RunReader } from './reader.ts';
import { type FileSystem, type Position, readConfirmed, runNames } from './run.ts';

/** What one run has on the disk. */
export interface RunInspection {
  readonly name: string;
  /** Entries, those that were journalled twice counted once. */
  readonly entries: number;
  /** Up to where the store has everything. */
  readonly confirmed: Position;
  /** Requests without an end: running, if the run's owner lives; lost, if not. */
  readonly open: readonly BegunRequest[];
  /** A torn tail of a run whose owner lives is only a record being written. */
  readonly damages: readonly Damage[];
}

/** Entries and money of one entity, or of all. */
export interface Sum {
  entries: number;
  /** Sum of the costs that are known. */
  known: NanoUsd;
  /** Entries whose cost is unknown, and what is assumed for them. */
  unknown: number;
  assumed: NanoUsd;
}

/** Sums of entries, for comparison with the store's totals. */
export interface Sums {
  readonly all: Sum;
  /** By the member of `Payer`, then by its value. */
  readonly by: Readonly<Record<PayerKind, ReadonlyMap<string, Sum>>>;
}

const PAYER_KINDS = ['keyHash', 'userId', 'teamId', 'organizationId', 'customerId'] as const;
export type PayerKind = (typeof PAYER_KINDS)[number];

/**
 * Reads every record in a ledger's folder, whoever owns it, and changes nothing.
 *
 * Holds the ids of all entries that it saw: about 100 bytes each.
 *
 * @param visit is given each entry once, oldest run first
 * @throws when the folder or a file in it cannot be read
 */
export async function inspectJournals(
  folder: string,
  visit: (entry: LedgerEntry) => void,
  files: FileSystem = nodeFiles,
): Promise<readonly RunInspection[]> {
  const seen = new Set<RequestId>();
  const found: RunInspection[] = [];
  for (const name of runNames(files, folder)) found.push(await inspectRun(files, folder, name, seen, visit));
  return found;
}

/** Adds entries up, in all and for everybody who pays. */
export class Summation {
  readonly #all = nothing();
  readonly #by: Record<PayerKind, Map<string, Sum>> = {
    keyHash: new Map(),
    userId: new Map(),
    teamId: new Map(),
    organizationId: new Map(),
    customerId: new Map(),
  };

  add(entry: LedgerEntry): void {
    addTo(this.#all, entry);
    for (const kind of PAYER_KINDS) {
      const id = entry.payer[kind];
      if (id !== null) addTo(sumOf(this.#by[kind], id), entry);
    }
  }

  get sums(): Sums {
    return { all: this.#all, by: this.#by };
  }
}

async function inspectRun(
  files: FileSystem,
  root: string,
  name: string,
  seen: Set<RequestId>,
  visit: (entry: LedgerEntry) => void,
): Promise<RunInspection> {
  const folder = join(root, name);
  const reader = new RunReader(files, folder, () => 'end-of-files');
  const open = new Map<RequestId, BegunRequest>();
  const damages: Damage[] = [];
  let entries = 0;
  try {
    for (let chunk = await reader.next(); chunk !== null; chunk = await reader.next()) {
      damages.push(...damagesOf(name, chunk).map(({ piece: _, ...damage }) => damage));
      entries += visitNew(chunk, seen, visit);
      for (const piece of chunk.pieces) noteOpen(open, piece);
    }
  } finally {
    reader.close();
  }
  return { name, entries, confirmed: readConfirmed(files, folder), open: [...open.values()], damages };
}

/** @returns how many there were */
function visitNew({ pieces }: Chunk, seen: Set<RequestId>, visit: (entry: LedgerEntry) => void): number {
  let count = 0;
  for (const piece of pieces) {
    if (piece.kind !== 'entry' || seen.has(piece.entry.requestId)) continue;
    seen.add(piece.entry.requestId);
    visit(piece.entry);
    count += 1;
  }
  return count;
}

function nothing(): Sum {
  return { entries: 0, known: 0n as NanoUsd, unknown: 0, assumed: 0n as NanoUsd };
}

function sumOf(sums: Map<string, Sum>, id: string): Sum {
  const known = sums.get(id);
  if (known !== undefined) return known;
  const fresh = nothing();
  sums.set(id, fresh);
  return fresh;
}

function addTo(sum: Sum, { cost }: LedgerEntry): void {
  sum.entries += 1;
  if (cost?.kind === 'known') sum.known = (sum.known + cost.total) as NanoUsd;
  if (cost?.kind === 'unknown') {
    sum.unknown += 1;
    sum.assumed = (sum.assumed + cost.assumed) as NanoUsd;
  }
}
