import type { ChangeLog } from '../change-log.ts';
import { TableReader, TableWriter } from '../repository.ts';
import { deletedKeyTable, deprecatedKeyTable, type KeyPatch, type KeyRow, keyTable } from '../schema/identity.ts';
import type { NewRowOf, RowOf } from '../schema/table.ts';
import type { Session } from '../session.ts';
import { conditions } from '../where.ts';

/** A key that a hash stands for. */
export interface FoundKey {
  readonly row: KeyRow;
  /** When the hash stops working because the key was rotated; null for the key's present hash. */
  readonly revokedAt: Date | null;
}

/** Virtual keys: `token` is the SHA-256 of the key in lower-case hex; the key itself is nowhere. */
export class KeyReader extends TableReader<typeof keyTable> {
  constructor(session: Session) {
    super(keyTable, session);
  }

  /** The key whose hash this is, or was before a rotation whose grace has not ended. */
  async findByHash(hash: string): Promise<FoundKey | null> {
    return findByHash(this, this.session, hash);
  }

  /** All hashes that the key with this id has, or had before it was rotated or deleted: those of its rows in the log. */
  async hashesOf(keyId: string): Promise<readonly string[]> {
    const ofKey = { where: { key_id: keyId }, limit: MOST_HASHES };
    const [present, former, deleted] = await Promise.all([
      this.list(ofKey),
      new TableReader(deprecatedKeyTable, this.session).list(ofKey),
      new TableReader(deletedKeyTable, this.session).list(ofKey),
    ]);
    return [...new Set([...present.rows, ...former.rows, ...deleted.rows].map(({ token }) => token))];
  }
}

/** Nobody rotates a key as often. */
const MOST_HASHES = 1000;
/** A hash that is kept only to know whose it was. */
const LONG_OVER = new Date(0);

/** A rotation: the new hash, what else changes, and until when the old hash works (null: not at all). */
export interface Rotation {
  readonly token: string;
  readonly patch: KeyPatch;
  readonly graceUntil: Date | null;
}

/** Virtual keys inside a transaction. */
export class KeyWriter extends TableWriter<typeof keyTable> {
  constructor(session: Session, log: ChangeLog, author: string) {
    super(keyTable, session, log, author);
  }

  findByHash(hash: string): Promise<FoundKey | null> {
    return findByHash(this, this.session, hash);
  }

  /**
   * Replaces a key's hash; `key_id`, spend and everything else stay.
   *
   * @returns the row as it is now; null when no key has this hash
   */
  async rotate(token: string, { token: next, patch, graceUntil }: Rotation): Promise<KeyRow | null> {
    const before = await this.get(token);
    if (before === null) return null;
    const rotated = { last_rotation_at: this.session.now(), rotation_count: before.rotation_count + 1 };
    const after = await this.update(token, { ...patch, ...rotated, token: next }, 'rotated');
    await this.#deprecate(token, before.key_id, graceUntil ?? LONG_OVER);
    this.log.touch(keyTable, next);
    return after;
  }

  /** Removes a key, keeps a copy of its row and its earlier hashes, and ends their grace. */
  override async delete(token: string): Promise<KeyRow | null> {
    const row = await super.delete(token);
    if (row === null) return null;
    await this.#endGrace(row.key_id);
    await this.session.queries.insertInto(deletedKeyTable.name).values(this.#copy(row)).execute();
    return row;
  }

  async #deprecate(token: string, keyId: string, revokeAt: Date): Promise<void> {
    const row = { token, key_id: keyId, revoke_at: revokeAt, created_at: this.session.now() };
    await this.session.queries
      .insertInto(deprecatedKeyTable.name)
      .values(row)
      // A text may be given again to the key, or to another, that it was once taken from.
      .onConflict((conflict) => conflict.column('token').doUpdateSet(row))
      .execute();
  }

  async #endGrace(keyId: string): Promise<void> {
    const ended = await this.session.queries
      .updateTable(deprecatedKeyTable.name)
      .set({ revoke_at: LONG_OVER })
      .where('key_id', '=', keyId)
      .returning('token')
      .execute();
    for (const { token } of ended) this.log.touch(keyTable, String(token));
  }

  #copy(row: KeyRow): NewRowOf<typeof deletedKeyTable> {
    const { spend: _, max_budget: __, ...columns } = row; // derived by the database
    return { ...columns, id: crypto.randomUUID(), deleted_at: this.session.now(), deleted_by: this.author };
  }
}

async function findByHash(
  keys: TableReader<typeof keyTable>,
  session: Session,
  hash: string,
): Promise<FoundKey | null> {
  const row = await keys.get(hash);
  if (row !== null) return { row, revokedAt: null };
  const old = await session.queries
    .selectFrom(deprecatedKeyTable.name)
    .selectAll()
    .where(conditions<RowOf<typeof deprecatedKeyTable>>(session, { token: hash, revoke_at: { from: session.now() } }))
    .executeTakeFirst();
  if (old === undefined) return null;
  const current = await keys.find({ key_id: String(old.key_id) });
  return current === null ? null : { row: current, revokedAt: old.revoke_at as Date }; // a column of time
}
