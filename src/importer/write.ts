import type { BudgetPeriod } from '../core/budget.ts';
import { type EpochMillis, epochMillis, type NanoUsd } from '../core/units.ts';
import { parseDuration, periodAt } from '../metering/period.ts';
import { type Account, accountOfRow } from '../store/ledger/accounts.ts';
import type { Key, TableWriter } from '../store/repository.ts';
import type { Writers } from '../store/resources/resources.ts';
import type { NewRowOf, Table } from '../store/schema/table.ts';
import type { Store } from '../store/store.ts';
import { leftOut, type PlannedRow, type Remark, type TablePlan, type Values } from './plan.ts';

/** The importer, as the audit log names it. */
const IMPORTER = { id: 'tollgate import', keyHash: '' };

/** Rows written in one transaction: enough to be fast, few enough not to hold up a gateway that runs beside it. */
const BATCH = 200;

/** What became of the rows of one table. */
export interface Written {
  readonly created: number;
  /** They were there before and stay as they are. */
  readonly present: number;
  readonly notes: readonly Remark[];
  /** Sum of the spend of the rows that were created. */
  readonly spend: NanoUsd;
}

/** Writes the rows of one table that are not there yet, with their spend. */
export async function writeTable(
  store: Store,
  plan: TablePlan,
  budgets: BudgetTerms,
  now: EpochMillis,
): Promise<Written> {
  let written: Written = { created: 0, present: 0, notes: [], spend: 0n as NanoUsd };
  for (let index = 0; index < plan.rows.length; index += BATCH) {
    const rows = plan.rows.slice(index, index + BATCH);
    const batch = await store.change(IMPORTER, (writers) => new Batch(plan, writers, budgets, now).write(rows));
    written = {
      created: written.created + batch.created,
      present: written.present + batch.present,
      notes: [...written.notes, ...batch.notes],
      spend: (written.spend + batch.spend) as NanoUsd, // a sum of sums
    };
  }
  return written;
}

/** Some rows inside one transaction. */
class Batch {
  readonly #plan: TablePlan;
  readonly #writers: Writers;
  readonly #writer: TableWriter<Table>;
  readonly #budgets: BudgetTerms;
  readonly #now: EpochMillis;

  constructor(plan: TablePlan, writers: Writers, budgets: BudgetTerms, now: EpochMillis) {
    this.#plan = plan;
    this.#writers = writers;
    this.#writer = writers[plan.resource] as unknown as TableWriter<Table>; // each writes its own table's rows
    this.#budgets = budgets;
    this.#now = now;
  }

  async write(rows: readonly PlannedRow[]): Promise<Written> {
    const notes: Remark[] = [];
    let created = 0;
    let spend = 0n;
    for (const { label, values } of rows) {
      if ((await this.#writer.get(keyOf(this.#plan.table, values))) !== null) continue;
      const free = await this.#withoutTaken(values);
      await this.#open(free.values);
      await this.#writer.create(free.values as NewRowOf<Table>); // mapped to this table's columns
      for (const text of free.notes) notes.push({ row: label, text });
      created += 1;
      spend += (values.spend_nano ?? 0n) as bigint; // its column holds money
    }
    return { created, present: rows.length - created, notes, spend: spend as NanoUsd }; // a sum of sums
  }

  /** Values that a row of the target has already are left out; the columns of `unique` may be empty. */
  async #withoutTaken(values: Values): Promise<{ readonly values: Values; readonly notes: readonly string[] }> {
    const taken: string[] = [];
    for (const column of this.#plan.table.unique.flat()) {
      if (values[column] == null) continue;
      if ((await this.#writer.find({ [column]: values[column] } as never)) !== null) taken.push(column); // one of its own
    }
    return {
      values: { ...values, ...Object.fromEntries(taken.map((column) => [column, null])) },
      notes: taken.map((column) => leftOut(column, values[column])),
    };
  }

  /** What was spent counts in the period that LiteLLM counted it in. */
  async #open(values: Values): Promise<void> {
    const spend = (values.spend_nano ?? 0n) as NanoUsd; // its column holds money
    for (const account of accountsOf(this.#plan.table, values))
      await this.#writers.balances.open(account, { spend, ...this.#budgets.countedIn(values, this.#now) });
  }
}

/**
 * The accounts that a row's spend is of. LiteLLM counts one sum for a user, of his own keys and of his teams', and holds
 * his budget against it: so it is what his own keys have spent too.
 */
function accountsOf(table: Table, values: Values): readonly Account[] {
  const account = accountOfRow(table, values);
  if (account === null) return [];
  return account.type === 'user' ? [account, { type: 'user-alone', id: account.id }] : [account];
}

/** The terms of budgets that rows have themselves, or by `budget_id`. */
export class BudgetTerms {
  readonly #byId: ReadonlyMap<string, Values>;

  constructor(budgets: readonly Values[]) {
    this.#byId = new Map(budgets.map((row) => [String(row.budget_id), row]));
  }

  /**
   * Start of the period that a row's spend belongs to, and a moment in it. LiteLLM's reset that is due but did not
   * happen yet is as good as done: the spend counts before it.
   */
  countedIn(row: Values, now: EpochMillis): { readonly since: EpochMillis | null; readonly at: EpochMillis } {
    const terms = this.#termsOf(row);
    const reset = terms?.budget_reset_at instanceof Date ? terms.budget_reset_at.getTime() : null;
    const at = epochMillis(reset !== null && reset <= now ? reset - 1 : now);
    const period = periodOf(terms, reset);
    return { at, since: period.kind === 'forever' ? null : periodAt(period, at).start };
  }

  #termsOf(row: Values): Values | undefined {
    return typeof row.budget_duration === 'string' ? row : this.#byId.get(String(row.budget_id));
  }
}

function periodOf(terms: Values | undefined, reset: number | null): BudgetPeriod {
  const length = typeof terms?.budget_duration === 'string' ? parseDuration(terms.budget_duration) : null;
  return length === null ? { kind: 'forever' } : { kind: 'recurring', length, anchor: epochMillis(reset ?? 0) };
}

/** The primary key of a row. */
export function keyOf(table: Table, values: Values): Key {
  return table.primaryKey.map((column) => String(values[column]));
}

/** An account whose row is there already, and what is to stay as it is although rows of the log are added. */
export interface Standing {
  readonly plan: TablePlan;
  readonly key: Key;
  readonly account: Account;
  readonly shown: NanoUsd;
  readonly spend: NanoUsd;
  readonly since: EpochMillis | null;
  readonly at: EpochMillis;
}

/** What accounts whose rows are there show and have spent. */
export async function standings(store: Store, plans: readonly TablePlan[], budgets: BudgetTerms, now: EpochMillis) {
  const found: Standing[] = [];
  for (const plan of plans) {
    for (const { values } of plan.rows) {
      const accounts = accountsOf(plan.table, values);
      const key = keyOf(plan.table, values);
      const row = accounts.length === 0 ? null : ((await store.read[plan.resource].get(key)) as Values | null); // some table's
      if (row === null) continue;
      const counted = budgets.countedIn(row, now);
      for (const account of accounts) {
        const { spend } = await store.balance(account, counted.since);
        found.push({ plan, key, account, shown: row.spend_nano as NanoUsd, spend, ...counted }); // its column holds money
      }
    }
  }
  return found;
}

/** Puts accounts back to what they showed before older rows of the log were added under them. */
export async function restore(store: Store, before: readonly Standing[]): Promise<void> {
  for (let index = 0; index < before.length; index += BATCH) {
    await store.change(IMPORTER, async (writers) => {
      for (const { plan, key, account, shown, ...balance } of before.slice(index, index + BATCH)) {
        await writers.balances.open(account, balance);
        const writer = writers[plan.resource] as unknown as TableWriter<Table>; // as in Batch
        await writer.update(key, { spend_nano: shown } as never); // a column of every table with an account
      }
    });
  }
}
