import type { BudgetAlertRow } from './schema/alerts.ts';
import { budgetAlertTable } from './schema/alerts.ts';
import type { NewRowOf } from './schema/table.ts';
import type { Session } from './session.ts';

/** How a delivery failed, and when to try again; null: never. */
export interface FailedDelivery {
  readonly reason: string;
  readonly nextTryAt: Date | null;
}

/** Due rows that one instance takes in one go. */
const TOGETHER = 20;

/**
 * The alerts of all instances.
 *
 * 1. A mark of a budget in a period has one row; only who writes it has made the alert.
 * 2. Whoever takes a row has it for the time of the lease; when that instance dies another takes it after that.
 * 3. A row that was delivered is taken by nobody.
 *
 * Rows are written past the audit log: nobody made a change.
 */
export class AlertBook {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Whether there is a row for an alert already: spares the work of making one. */
  async has(alertId: string): Promise<boolean> {
    const row = await this.#session.queries
      .selectFrom(budgetAlertTable.name)
      .select('alert_id')
      .where('alert_id', '=', alertId)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Writes an alert. @returns false when another instance, or an earlier run, has written it before */
  async add(alert: NewRowOf<typeof budgetAlertTable>): Promise<boolean> {
    const row = await this.#session.queries
      .insertInto(budgetAlertTable.name)
      .values(alert)
      .onConflict((conflict) => conflict.column('alert_id').doNothing())
      .returning('alert_id')
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Takes what is due and not in other hands, until `leaseEnd`. */
  async take(now: Date, leaseEnd: Date): Promise<readonly BudgetAlertRow[]> {
    const due = await this.#session.queries
      .selectFrom(budgetAlertTable.name)
      .select(['alert_id', 'next_try_at'])
      .where('next_try_at', '<=', now)
      .orderBy('next_try_at')
      .limit(TOGETHER)
      .execute();
    const taken: BudgetAlertRow[] = [];
    for (const { alert_id, next_try_at } of due) {
      const row = await this.#session.queries
        .updateTable(budgetAlertTable.name)
        .set({ next_try_at: leaseEnd })
        .where('alert_id', '=', alert_id)
        // Whoever was faster has changed it.
        .where('next_try_at', '=', next_try_at)
        .returningAll()
        .executeTakeFirst();
      if (row !== undefined) taken.push(row as BudgetAlertRow); // decoded by the definition that also made the type
    }
    return taken;
  }

  async delivered({ alert_id, tries }: BudgetAlertRow, at: Date): Promise<void> {
    await this.#set(alert_id, { tries: tries + 1, delivered_at: at, next_try_at: null, last_failure: null });
  }

  async failed({ alert_id, tries }: BudgetAlertRow, { reason, nextTryAt }: FailedDelivery): Promise<void> {
    await this.#set(alert_id, { tries: tries + 1, next_try_at: nextTryAt, last_failure: reason });
  }

  async #set(alertId: unknown, values: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#session.queries
      .updateTable(budgetAlertTable.name)
      .set(values)
      .where('alert_id', '=', alertId)
      .execute();
  }
}
