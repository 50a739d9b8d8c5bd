import { epochMillis } from '../../core/units.ts';
import type { Page } from '../../store/repository.ts';
import type { FoundKey, KeyReader } from '../../store/resources/keys.ts';
import type { Readers } from '../../store/resources/resources.ts';
import {
  type BudgetRow,
  budgetTable,
  type CustomerRow,
  customerTable,
  type KeyRow,
  keyTable,
  type OrganizationRow,
  organizationTable,
  type TeamRow,
  tagTable,
  teamMembershipTable,
  teamTable,
  type UserRow,
  userTable,
} from '../../store/schema/identity.ts';
import type { RowOf } from '../../store/schema/table.ts';
import {
  customerRecord,
  keyRecord,
  memberRecord,
  organizationRecord,
  tagRecord,
  teamRecord,
  userRecord,
} from './records.ts';
import { memberId, type Roster } from './roster.ts';

/** One table of the store and its place in the roster. */
export interface Shelf {
  readonly table: string;
  /** Reads everything, page by page; what is no longer there goes. `pause` is awaited after each page. */
  load(pause: () => Promise<void>): Promise<void>;
  /** Reads these rows again, named as the feed names them. */
  refresh(ids: readonly string[]): Promise<void>;
  /** Reads the rows again that point at one of these budgets. */
  refreshBudgets(ids: readonly string[]): Promise<void>;
}

/** What makes a shelf of a table. */
interface ShelfParts<Row> {
  readonly table: string;
  idOf(row: Row): string;
  get(id: string): Promise<Row | null>;
  /** Pages of the rows that matter, one list after the other. */
  readonly lists: readonly ((after: string | null) => Promise<Page<Row>>)[];
  /** Those that point at one of these budgets; null when none does. */
  readonly ofBudgets: ((ids: readonly string[], after: string | null) => Promise<Page<Row>>) | null;
  put(row: Row): void;
  remove(id: string): void;
  ids(): Iterable<string>;
}

/** Rows read at a time: some 10 ms of the one thread on SQLite. */
const PAGE = 500;

/** All tables that the roster knows, in the order in which they must be read: budgets and teams first, keys last. */
export function shelvesOf(read: Readers, roster: Roster): readonly Shelf[] {
  return [
    ...[budgetShelf(read, roster), organizationShelf(read, roster), teamShelf(read, roster), userShelf(read, roster)],
    ...[memberShelf(read, roster), customerShelf(read, roster), tagShelf(read, roster), keyShelf(read, roster)],
  ];
}

function shelf<Row>(parts: ShelfParts<Row>): Shelf {
  const { table, lists, ofBudgets } = parts;
  return {
    table,
    async load(pause) {
      const seen = new Set<string>();
      const before = new Set(parts.ids());
      for (const list of lists)
        await eachPage(list, async (rows) => {
          for (const row of rows) {
            parts.put(row);
            seen.add(parts.idOf(row));
          }
          await pause();
        });
      // Those that came in the meantime were read later than the pages.
      for (const id of before) if (!seen.has(id)) await refreshOne(parts, id);
    },
    async refresh(ids) {
      for (const id of ids) await refreshOne(parts, id);
    },
    async refreshBudgets(ids) {
      if (ofBudgets === null || ids.length === 0) return;
      await eachPage(
        (after) => ofBudgets(ids, after),
        async (rows) => {
          for (const row of rows) parts.put(row);
        },
      );
    },
  };
}

async function refreshOne<Row>(parts: ShelfParts<Row>, id: string): Promise<void> {
  const row = await parts.get(id);
  if (row === null) parts.remove(id);
  else parts.put(row);
}

async function eachPage<Row>(
  list: (after: string | null) => Promise<Page<Row>>,
  use: (rows: readonly Row[]) => Promise<void>,
): Promise<void> {
  let after: string | null = null;
  do {
    const page: Page<Row> = await list(after);
    await use(page.rows);
    after = page.next;
  } while (after !== null);
}

function budgetShelf({ budgets }: Readers, roster: Roster): Shelf {
  return shelf<BudgetRow>({
    table: budgetTable.name,
    idOf: (row) => row.budget_id,
    get: (id) => budgets.get(id),
    lists: [(after) => budgets.list({ limit: PAGE, after })],
    ofBudgets: null,
    put: (row) => void roster.budgets.set(row.budget_id, row),
    remove: (id) => void roster.budgets.delete(id),
    ids: () => roster.budgets.keys(),
  });
}

function organizationShelf({ organizations }: Readers, roster: Roster): Shelf {
  return shelf<OrganizationRow>({
    table: organizationTable.name,
    idOf: (row) => row.organization_id,
    get: (id) => organizations.get(id),
    lists: [(after) => organizations.list({ limit: PAGE, after })],
    ofBudgets: (ids, after) => organizations.list({ where: { budget_id: { in: ids } }, limit: PAGE, after }),
    put: (row) =>
      void roster.organizations.set(row.organization_id, organizationRecord(row, roster.budget(row.budget_id))),
    remove: (id) => void roster.organizations.delete(id),
    ids: () => roster.organizations.keys(),
  });
}

function teamShelf({ teams }: Readers, roster: Roster): Shelf {
  return shelf<TeamRow>({
    table: teamTable.name,
    idOf: (row) => row.team_id,
    get: (id) => teams.get(id),
    lists: [(after) => teams.list({ limit: PAGE, after })],
    ofBudgets: null,
    put: (row) => void roster.teams.set(row.team_id, teamRecord(row)),
    remove: (id) => void roster.teams.delete(id),
    ids: () => roster.teams.keys(),
  });
}

function userShelf({ users }: Readers, roster: Roster): Shelf {
  return shelf<UserRow>({
    table: userTable.name,
    idOf: (row) => row.user_id,
    get: (id) => users.get(id),
    lists: [(after) => users.list({ limit: PAGE, after })],
    ofBudgets: null,
    put: (row) => void roster.users.set(row.user_id, userRecord(row)),
    remove: (id) => void roster.users.delete(id),
    ids: () => roster.users.keys(),
  });
}

function memberShelf({ teamMemberships }: Readers, roster: Roster): Shelf {
  return shelf<RowOf<typeof teamMembershipTable>>({
    table: teamMembershipTable.name,
    idOf: (row) => memberId(row.user_id, row.team_id),
    get: (id) => teamMemberships.get(JSON.parse(id) as string[]), // as `memberId` and the feed write it
    lists: [(after) => teamMemberships.list({ limit: PAGE, after })],
    ofBudgets: (ids, after) => teamMemberships.list({ where: { budget_id: { in: ids } }, limit: PAGE, after }),
    // Nothing on the way of a request asks for the role of a member.
    put: (row) =>
      void roster.members.set(
        memberId(row.user_id, row.team_id),
        memberRecord(row, roster.budget(row.budget_id), 'user'),
      ),
    remove: (id) => void roster.members.delete(id),
    ids: () => roster.members.keys(),
  });
}

/** Only those whom a row says something of: every customer that a request ever named has one. */
function customerShelf({ customers }: Readers, roster: Roster): Shelf {
  return shelf<CustomerRow>({
    table: customerTable.name,
    idOf: (row) => row.user_id,
    get: (id) => customers.get(id),
    lists: [
      (after) => customers.list({ where: { blocked: true }, limit: PAGE, after }),
      (after) => customers.list({ where: { budget_id: { not: null } }, limit: PAGE, after }),
    ],
    ofBudgets: (ids, after) => customers.list({ where: { budget_id: { in: ids } }, limit: PAGE, after }),
    put: (row) => void roster.customers.set(row.user_id, customerRecord(row, roster.budget(row.budget_id))),
    remove: (id) => void roster.customers.delete(id),
    ids: () => roster.customers.keys(),
  });
}

function tagShelf({ tags }: Readers, roster: Roster): Shelf {
  return shelf<RowOf<typeof tagTable>>({
    table: tagTable.name,
    idOf: (row) => row.tag_name,
    get: (id) => tags.get(id),
    lists: [(after) => tags.list({ where: { budget_id: { not: null } }, limit: PAGE, after })],
    ofBudgets: (ids, after) => tags.list({ where: { budget_id: { in: ids } }, limit: PAGE, after }),
    put(row) {
      const tag = tagRecord(row, roster.budget(row.budget_id));
      if (tag === null) roster.tags.delete(row.tag_name);
      else roster.tags.set(row.tag_name, tag);
    },
    remove: (id) => void roster.tags.delete(id),
    ids: () => roster.tags.keys(),
  });
}

function keyShelf({ keys }: Readers, roster: Roster): Shelf {
  const plain = shelf<KeyRow>({
    table: keyTable.name,
    idOf: (row) => row.token,
    get: (id) => keys.get(id),
    lists: [(after) => keys.list({ limit: PAGE, after })],
    ofBudgets: (ids, after) => keys.list({ where: { budget_id: { in: ids } }, limit: PAGE, after }),
    put: (row) => void roster.keys.set(row.token, keyRecord(row, roster.budget(row.budget_id))),
    remove: (id) => void roster.keys.delete(id),
    ids: () => roster.keys.keys(),
  });
  return { ...plain, refresh: (hashes) => refreshKeys(keys, roster, hashes) };
}

/** A hash may have become that of a key in its grace, or may have ceased to be one. */
async function refreshKeys(keys: KeyReader, roster: Roster, hashes: readonly string[]): Promise<void> {
  for (const hash of hashes) putKey(roster, hash, await keys.findByHash(hash));
}

/** What is known of a hash now. */
export function putKey(roster: Roster, hash: string, found: FoundKey | null): void {
  if (found === null || found.revokedAt !== null) roster.keys.delete(hash);
  if (found === null || found.revokedAt === null) roster.formers.delete(hash);
  if (found === null) return;
  const { row, revokedAt } = found;
  roster.keys.set(row.token, keyRecord(row, roster.budget(row.budget_id)));
  if (revokedAt !== null) roster.formers.set(hash, { token: row.token, until: epochMillis(revokedAt.getTime()) });
}
