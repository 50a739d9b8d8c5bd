import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config/load.ts';
import type { Cost } from '../core/cost.ts';
import type { RequestId } from '../core/ids.ts';
import { seconds } from '../core/units.ts';
import { inspectJournals, type RunInspection } from '../ledger/inspect.ts';
import { openLedger, runName } from '../ledger/ledger.ts';
import { StoreRefused } from '../store/errors.ts';
import type { Difference } from '../store/ledger/verify.ts';
import { openStore, type Store } from '../store/store.ts';
import { systemClock } from '../transport/system-clock.ts';
import { readEnvFile } from './environment.ts';
import { hexId } from './hex-id.ts';
import type { Io } from './io.ts';

const HELP = `tollgate ledger verify [--config FILE] [--env-file FILE] [--data-dir DIR] [--json]
tollgate ledger replay [--config FILE] [--env-file FILE] [--data-dir DIR] [--json]

  verify   recomputes every total from its rows, and compares the journals on the disk with the rows; ends with 1 on a difference
  replay   writes into the database what gateways that are gone have left in their journals
`;

/** Ids in one question. */
const TOGETHER = 500;

interface LedgerArguments {
  readonly action: 'verify' | 'replay';
  readonly config: string | null;
  readonly envFile: string | null;
  readonly dataDir: string | null;
  readonly isJson: boolean;
}

/** Where everything is. */
interface Place {
  readonly store: Store;
  readonly folder: string;
}

/**
 * `tollgate ledger`: looks after the ledger without serving.
 *
 * @returns 0 when all is well, 1 when something differs or could not be done, 2 when used wrongly
 */
export async function ledger(argv: readonly string[], io: Io): Promise<number> {
  const args = readArguments(argv);
  if (typeof args === 'string') {
    io.writeError(`tollgate ledger: ${args}\n${HELP}`);
    return 2;
  }
  const place = await open(args, io);
  if (typeof place === 'string') {
    io.writeError(`tollgate ledger: ${place}\n`);
    return 1;
  }
  try {
    return args.action === 'verify' ? await verify(place, args, io) : await replay(place, args, io);
  } finally {
    await place.store.close();
  }
}

function readArguments(argv: readonly string[]): LedgerArguments | string {
  try {
    const value = { type: 'string' } as const;
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        config: { ...value, short: 'c' },
        'env-file': value,
        'data-dir': value,
        json: { type: 'boolean' },
      },
    });
    const [action, ...more] = positionals;
    if ((action !== 'verify' && action !== 'replay') || more.length > 0) return "say 'verify' or 'replay'.";
    return {
      action,
      config: values.config ?? null,
      envFile: values['env-file'] ?? null,
      dataDir: values['data-dir'] ?? null,
      isJson: values.json === true,
    };
  } catch (error) {
    return (error as Error).message;
  }
}

/** The database and the data folder that `serve` would use with these arguments. */
async function open(args: LedgerArguments, io: Io): Promise<Place | string> {
  const env = readEnvFile(io, args.envFile);
  if (typeof env === 'string') return env;
  const path = args.config ?? env.CONFIG_FILE_PATH ?? null;
  const loaded = loadConfig({ path, readFile: io.readFile, env, strict: false, demo: null });
  if (loaded.kind === 'invalid') return `${path} has errors: run 'tollgate check ${path}'.`;
  const dataDir = args.dataDir ?? env.TOLLGATE_DATA_DIR ?? 'data';
  const url = loaded.snapshot.server.databaseUrl?.reveal() ?? null;
  if (url === null && !existsSync(join(dataDir, 'tollgate.db'))) return `there is no database in ${dataDir}.`;
  try {
    const store = await openStore({ clock: systemClock, postgres: url === null ? null : { url }, dataDir });
    return { store, folder: join(dataDir, 'ledger') };
  } catch (error) {
    if (error instanceof StoreRefused) return error.message;
    throw error;
  }
}

/** A journal, and what of it the store does not have. */
interface JournalReport {
  readonly run: string;
  readonly entries: number;
  readonly waiting: number;
  readonly open: number;
  readonly damaged: number;
}

interface JournalEntry {
  readonly requestId: RequestId;
  readonly cost: Cost | null;
}

async function verify({ store, folder }: Place, { isJson }: LedgerArguments, io: Io): Promise<number> {
  const totals = await store.verify();
  const { journals, differences } = await compareJournals(store, folder);
  const found = [...totals, ...differences];
  const isWell = found.length === 0 && journals.every(({ damaged }) => damaged === 0);
  if (isJson) io.write(`${jsonOf({ ok: isWell, differences: found, journals })}\n`);
  else io.write(`${[...found.map(differenceLine), ...journals.map(journalLine), verdict(found.length)].join('\n')}\n`);
  return isWell ? 0 : 1;
}

async function compareJournals(store: Store, folder: string) {
  const differences: (Difference | RowDifference)[] = [];
  const journals: JournalReport[] = [];
  if (!existsSync(folder)) return { journals, differences };
  const byRun = await readJournals(folder);
  for (const { run, entries } of byRun) {
    let waiting = 0;
    for (let from = 0; from < entries.length; from += TOGETHER) {
      const compared = await compareRows(store, entries.slice(from, from + TOGETHER));
      waiting += compared.waiting;
      differences.push(...compared.differences);
    }
    const damaged = run.damages.filter(({ kind }) => kind === 'corrupt').length;
    journals.push({ run: run.name, entries: entries.length, waiting, open: run.open.length, damaged });
  }
  return { journals, differences };
}

/** Entries of all journals, told apart by run: they come run by run, oldest first. */
async function readJournals(folder: string) {
  const entries: JournalEntry[] = [];
  const runs: readonly RunInspection[] = await inspectJournals(folder, ({ requestId, cost }) => {
    entries.push({ requestId, cost });
  });
  let from = 0;
  return runs.map((run) => {
    const own = entries.slice(from, from + run.entries);
    from += run.entries;
    return { run, entries: own };
  });
}

/** A row that says something else than the journal. */
interface RowDifference {
  readonly total: 'row';
  readonly place: string;
  readonly stored: bigint;
  readonly recomputed: bigint;
}

async function compareRows(store: Store, entries: readonly JournalEntry[]) {
  const ids = entries.map(({ requestId }) => requestId as string);
  const { rows } = await store.read.spendLogs.list({ where: { request_id: { in: ids } }, limit: ids.length * 2 });
  const letters = await store.read.deadLetters.list({ where: { request_id: { in: ids } }, limit: ids.length });
  const byId = new Map(rows.map((row) => [row.request_id, row]));
  const buried = new Set(letters.rows.map(({ request_id }) => request_id));
  const differences: RowDifference[] = [];
  let waiting = 0;
  for (const { requestId, cost } of entries) {
    const row = byId.get(requestId);
    if (row === undefined) {
      if (!buried.has(requestId)) waiting += 1;
      continue;
    }
    const stored = (row.spend_nano ?? 0n) + row.assumed_nano;
    const recomputed = cost === null ? 0n : cost.kind === 'known' ? cost.total : cost.assumed;
    if (stored !== recomputed)
      differences.push({ total: 'row', place: `litellm_spendlogs ${requestId}`, stored, recomputed });
  }
  return { waiting, differences };
}

async function replay({ store, folder }: Place, { isJson }: LedgerArguments, io: Io): Promise<number> {
  const done = { written: 0, duplicates: 0, dead_letters: 0, lost: 0, journals: 0 };
  if (existsSync(folder)) {
    const journals = await openLedger({
      folder,
      store: store.ledger,
      deadLetter: (entry, reason) => store.bury(entry, reason),
      clock: systemClock,
      random: Math.random,
      run: runName(systemClock.wall(), `${process.pid}-${hexId().slice(-8)}`),
      observe(event) {
        if (event.kind === 'written') {
          done.written += event.written;
          done.duplicates += event.duplicates;
        }
        if (event.kind === 'dead-letter') done.dead_letters += 1;
        if (event.kind === 'lost') done.lost += event.requests;
        if (event.kind === 'adopted') done.journals += 1;
        if (event.kind === 'store-failed') io.writeError(`tollgate ledger: ${event.reason}; trying again\n`);
      },
    });
    await journals.drained();
    await journals.close(seconds(5));
  }
  io.write(isJson ? `${jsonOf(done)}\n` : `${replayLine(done)}\n`);
  return 0;
}

function replayLine(done: {
  written: number;
  duplicates: number;
  dead_letters: number;
  lost: number;
  journals: number;
}) {
  if (done.journals === 0) return '✓ no journal was left behind.';
  return `✓ ${done.journals} journals: ${done.written} entries written, ${done.duplicates} were there, ${done.lost} of requests that were lost, ${done.dead_letters} put aside.`;
}

function differenceLine({ total, place, stored, recomputed }: Difference | RowDifference): string {
  return `✗ ${total} ${place}: ${stored} nano-dollars are stored, ${recomputed} are right`;
}

function journalLine({ run, entries, waiting, open: running, damaged }: JournalReport): string {
  const mark = damaged > 0 ? '✗' : '•';
  return `${mark} journal ${run}: ${entries} entries, ${waiting} not in the database, ${running} requests without an end, ${damaged} damaged stretches`;
}

const verdict = (count: number): string =>
  count === 0 ? '✓ every total is what its rows add up to.' : `✗ ${count} differences.`;

const jsonOf = (value: unknown): string =>
  JSON.stringify(value, (_, member) => (typeof member === 'bigint' ? String(member) : member), 2);
