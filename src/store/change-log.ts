import { sql } from 'kysely';
import type { JsonObject } from '../core/json.ts';
import { channelOf } from './postgres/channel.ts';
import { type AuditAction, auditTable } from './schema/identity.ts';
import type { Table } from './schema/table.ts';
import { changeFeedTable } from './schema/tables.ts';
import type { Session } from './session.ts';

/** Who makes a change, as the audit log tells it. */
export interface Actor {
  /** A user's id, `proxy_admin`, or what else the operator knows it by. */
  readonly id: string;
  /** The hash of the key that was presented; empty when there was none. */
  readonly keyHash: string;
}

type Values = Readonly<Record<string, unknown>>;

/** One change of one row. */
export interface RowChange {
  readonly table: Table;
  readonly objectId: string;
  readonly action: AuditAction;
  readonly before: Values | null;
  /** The whole row, or what was set. */
  readonly after: Values | null;
}

/** The changes of one transaction, written with it: an audit row each, and a row of the feed for every object. */
export class ChangeLog {
  readonly #changes: RowChange[] = [];
  readonly #touched = new Map<string, { readonly table_name: string; readonly object_id: string }>();

  /** Notes a change for the audit log and for every instance. */
  record(change: RowChange): void {
    this.#changes.push(change);
    this.touch(change.table, change.objectId);
  }

  /** Tells every instance that it must read a row again, without a word in the audit log. */
  touch({ name }: Table, objectId: string): void {
    this.#touched.set(JSON.stringify([name, objectId]), { table_name: name, object_id: objectId });
  }

  /** Writes everything; called last in the transaction. */
  async write(session: Session, actor: Actor): Promise<void> {
    const rows = this.#changes.map((change) => auditRow(change, actor, session.now()));
    if (rows.length > 0) await session.queries.insertInto(auditTable.name).values(rows).execute();
    await publish(session, [...this.#touched.values()]);
  }
}

/**
 * Appends to the feed. Numbers are given under a lock that lasts until the commit, so that their order is the order of
 * commits and no reader can pass one that is still to come.
 */
async function publish(session: Session, touched: readonly Record<string, string>[]): Promise<void> {
  const { queries, schema, now } = session;
  if (touched.length === 0) return;
  if (schema !== null)
    await sql`select pg_advisory_xact_lock(hashtextextended(${`tollgate feed ${schema}`}, 0))`.execute(queries);
  const { last } = await queries
    .selectFrom(changeFeedTable.name)
    .select(({ fn }) => fn.coalesce(fn.max('sequence'), sql.lit(0)).as('last'))
    .executeTakeFirstOrThrow();
  const rows = touched.map((each, index) => ({ ...each, sequence: Number(last) + 1 + index, changed_at: now() }));
  await queries.insertInto(changeFeedTable.name).values(rows).execute();
  if (schema !== null) await sql`select pg_notify(${channelOf(schema)}, '')`.execute(queries);
}

function auditRow({ table, objectId, action, before, after }: RowChange, actor: Actor, at: Date) {
  return {
    id: crypto.randomUUID(),
    updated_at: at,
    changed_by: actor.id,
    changed_by_api_key: actor.keyHash,
    action,
    table_name: table.name,
    object_id: objectId,
    before_value: before === null ? null : masked(table, before),
    updated_values: after === null ? null : masked(table, after),
  };
}

/** The values as JSON, amounts as text, secrets as `[redacted]`. */
function masked(table: Table, values: Values): JsonObject {
  const entries = Object.entries(values).map(([name, value]) => {
    if (table.columns[name]?.isSecret === true && value !== null) return [name, '[redacted]'];
    return [name, typeof value === 'bigint' ? String(value) : value instanceof Date ? value.toISOString() : value];
  });
  return Object.fromEntries(entries) as JsonObject; // column values are JSON but for the two kinds above
}
