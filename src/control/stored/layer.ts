import { createHash } from 'node:crypto';
import type { StoredLayer } from '../../config/stored.ts';
import type { Clock } from '../../core/clock.ts';
import { seconds } from '../../core/units.ts';
import type { SecretBox } from '../../secrets/secret-box.ts';
import type { FeedEvent } from '../../store/feed.ts';
import type { TableReader } from '../../store/repository.ts';
import { credentialTable, modelTable } from '../../store/schema/identity.ts';
import type { RowOf, Table } from '../../store/schema/table.ts';
import type { Store } from '../../store/store.ts';
import { storedCredential, storedModel } from './rows.ts';

/** What the layer is built from. */
export interface LayerParts {
  readonly store: Store;
  readonly box: SecretBox;
  readonly clock: Pick<Clock, 'after'>;
  /** Called after the layer has changed: the configuration has to be compiled again. */
  readonly onChange: () => void;
  readonly log: { readonly unreadable: (credential: string) => void; readonly away: (reason: string) => void };
}

/** Rows read in one statement. */
const PAGE = 500;
/** How long after a failed reading the next one is tried. */
const PATIENCE = seconds(2);
const TABLES: ReadonlySet<string> = new Set([modelTable.name, credentialTable.name]);

/**
 * The database's layer of the configuration, kept up to date: whatever instance makes a change, all read the rows again
 * and compile the same snapshot, within a second.
 *
 * Changes that come while rows are read lead to one more reading; while the database is away the layer stays as it is.
 */
export class ModelLayer {
  readonly #parts: LayerParts;
  readonly #unsubscribe: () => void;
  #current: StoredLayer = EMPTY;
  #reading: Promise<void> | null = null;
  #isStale = false;
  #isClosed = false;

  private constructor(parts: LayerParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.store.onChange((events) => {
      if (events.some(concerns)) void this.refresh();
    });
  }

  /** Reads everything once, without a call of `onChange`; while the database is away the layer is empty. */
  static async open(parts: LayerParts): Promise<ModelLayer> {
    const layer = new ModelLayer(parts);
    try {
      layer.#current = await layer.#read();
    } catch (error) {
      layer.#tryLater(error);
    }
    return layer;
  }

  get current(): StoredLayer {
    return this.#current;
  }

  /** Reads the rows again; resolves when the layer has them. */
  refresh(): Promise<void> {
    this.#isStale = true;
    this.#reading ??= this.#update().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  /** Resolves when what was told so far is in the layer and in force here. */
  settled(): Promise<void> {
    return this.#reading ?? Promise.resolve();
  }

  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
  }

  async #update(): Promise<void> {
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      try {
        const next = await this.#read();
        const isNew = next.fingerprint !== this.#current.fingerprint;
        this.#current = next;
        if (isNew) this.#parts.onChange();
      } catch (error) {
        this.#tryLater(error);
        return;
      }
    }
  }

  #tryLater(error: unknown): void {
    this.#parts.log.away(error instanceof Error ? error.message : String(error));
    this.#parts.clock.after(PATIENCE, () => void (this.#isClosed || this.refresh()));
  }

  async #read(): Promise<StoredLayer> {
    const { store, box, log } = this.#parts;
    const models = await allRows(store.read.models);
    const credentials = await allRows(store.read.credentials);
    return {
      models: models.map((row) => storedModel(box, row)),
      credentials: credentials.flatMap((row) => {
        const opened = storedCredential(box, row);
        if (opened === null) log.unreadable(row.credential_name);
        return opened ?? [];
      }),
      fingerprint: fingerprint([...models, ...credentials]),
    };
  }
}

const EMPTY: StoredLayer = { models: [], credentials: [], fingerprint: '' };

const concerns = (event: FeedEvent): boolean => event.kind === 'resync' || TABLES.has(event.table);

async function allRows<T extends Table>(reader: TableReader<T>): Promise<readonly RowOf<T>[]> {
  const rows: RowOf<T>[] = [];
  for (let after: string | null = null; ; ) {
    const page: Awaited<ReturnType<typeof reader.list>> = await reader.list({ limit: PAGE, after });
    rows.push(...page.rows);
    if (page.next === null) return rows;
    after = page.next;
  }
}

/** Over the rows as they are stored, texts encrypted: it tells nothing, and is the same wherever they are read. */
function fingerprint(rows: readonly object[]): string {
  const hash = createHash('sha256');
  for (const row of rows) hash.update(JSON.stringify(sorted(row)));
  return hash.digest('hex');
}

/** PostgreSQL gives the members of JSON in an order of its own; any order has to count alike. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, each]) => [name, sorted(each)]));
}
