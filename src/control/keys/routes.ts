import { z } from 'zod';
import { epochMillis } from '../../core/units.ts';
import { after, parseDuration } from '../../metering/period.ts';
import type { KeyRow } from '../../store/schema/identity.ts';
import { ignoredIn } from '../fields/field.ts';
import { shown } from '../fields/shown.ts';
import { amount, id, span, text } from '../fields/values.ts';
import { type AdminContext, adminRoute } from '../http/admin-route.ts';
import { found, Refused, refused } from '../http/refused.ts';
import { checkOrganization } from '../organization-admins.ts';
import { shownSpender } from '../period-spend.ts';
import { withinBounds } from './bounds.ts';
import { generateInput, type KeyChanges, type KeyInput, keyChanges, keyFields } from './fields.ts';
import { abbreviated, chosenKeyText, findKey, newKeyText, traceOf } from './key-text.ts';
import { aliasesRoute, listRoute } from './list.ts';
import { keyColumns, type MadeKey, madeKeyAnswer, makeKey } from './make.ts';
import { checkFields, checkRight, type KeyDeed } from './rights.ts';

/** Virtual keys (litellm.md §3.4). */

const TAG = 'keys';
/** Most keys in one request. */
const MOST = 500;
const ignored = ignoredIn(keyFields);

/** The key that is meant, which the caller may do this with. @throws Refused */
async function keyFor(deed: KeyDeed, key: string, context: AdminContext): Promise<KeyRow> {
  const row = found(
    await findKey(context.store.read.keys, key),
    `Key not found in database: ${abbreviated(key)}.`,
    'key',
  );
  await checkRight(deed, row, context);
  return row;
}

/** What a user who does not say whose key he wants means: his own. */
const ownedBy = (input: KeyInput, { caller }: AdminContext): KeyInput =>
  caller.kind === 'user' && input.user_id === undefined ? { ...input, user_id: caller.userId } : input;

const ownersIn = ({ user_id, team_id, organization_id }: KeyInput) => ({
  user_id: user_id ?? null,
  team_id: team_id ?? null,
  organization_id: organization_id ?? null,
});

async function generate(input: KeyInput, context: AdminContext): Promise<MadeKey> {
  const { store, actor, ports } = context;
  const wanted = withinBounds(input, ports.settings());
  return store.change(actor, (writers) => makeKey(writers, wanted, context));
}

const generateRoute = adminRoute({
  methods: ['POST'],
  paths: ['/key/generate'],
  summary: 'Make a key. The answer is the only place where its text ever is.',
  tag: TAG,
  audience: 'role',
  input: generateInput,
  ignored,
  async handle(input, context) {
    const wanted = ownedBy(input, context);
    await checkRight('/key/generate', ownersIn(wanted), context);
    await checkFields(wanted, null, context);
    return madeKeyAnswer(await generate(wanted, context), context);
  },
});

const serviceAccountRoute = adminRoute({
  methods: ['POST'],
  paths: ['/key/service-account/generate'],
  summary: 'Make a key of a team that belongs to no person.',
  tag: TAG,
  audience: 'role',
  input: generateInput.omit({ user_id: true }).extend({ team_id: id }),
  ignored,
  async handle(input, context) {
    const account = { service_account_id: input.key_alias ?? crypto.randomUUID() };
    const wanted = { ...input, metadata: { ...input.metadata, ...account } };
    await checkRight('/key/generate', { user_id: null, team_id: input.team_id }, context);
    await checkFields(wanted, null, context);
    return madeKeyAnswer(await generate(wanted, context), context);
  },
});

async function updateKey(key: string, changes: KeyChanges, context: AdminContext): Promise<KeyRow> {
  const before = await keyFor('/key/update', key, context);
  await checkFields(changes, before, context);
  const row = await context.store.change(context.actor, async (writers) => {
    const current = await writers.keys.get(before.token);
    return writers.keys.update(before.token, await keyColumns(writers, changes, current, context));
  });
  return found(row, 'Key not found in database: it was deleted or rotated just now.', 'key');
}

const updateRoute = adminRoute({
  methods: ['POST'],
  paths: ['/key/update'],
  summary: 'Change what is sent of a key; `duration: "-1"` and null take a limit away.',
  tag: TAG,
  audience: 'role',
  input: keyChanges.extend({ key: text }),
  ignored,
  async handle({ key, ...changes }, context) {
    const { token: _, ...info } = shown(await updateKey(key, changes, context));
    return { ...info, key };
  },
});

const bulkUpdateRoute = adminRoute({
  methods: ['POST'],
  paths: ['/key/bulk_update'],
  summary: 'Change budget, team or tags of up to 500 keys; the answer says which changes were made.',
  tag: TAG,
  audience: 'admin',
  input: z.object({
    keys: z
      .array(keyChanges.pick({ budget_id: true, max_budget: true, team_id: true, tags: true }).extend({ key: text }))
      .min(1)
      .max(MOST),
  }),
  async handle({ keys }, context) {
    const done: unknown[] = [];
    const failed: unknown[] = [];
    for (const { key, ...changes } of keys) {
      try {
        const { token: _, ...info } = shown(await updateKey(key, changes, context));
        done.push({ key, key_info: info });
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        failed.push({ key: abbreviated(key), failed_reason: error.message });
      }
    }
    return { total_requested: keys.length, successful_updates: done, failed_updates: failed };
  },
});

const deleteRoute = adminRoute({
  methods: ['POST', 'DELETE'],
  paths: ['/key/delete'],
  summary: 'Delete keys by themselves, by hash, by key_id or by alias. A copy of the row is kept.',
  tag: TAG,
  audience: 'role',
  input: z.object({ keys: z.array(text).max(MOST).nullish(), key_aliases: z.array(id).max(MOST).nullish() }),
  async handle({ keys, key_aliases }, context) {
    const named = await namedKeys(keys ?? [], key_aliases ?? [], context);
    if (named.length === 0) throw refused('nothing-there', 'No keys found: none of these exists.', 'keys');
    for (const { row } of named) await checkRight('/key/delete', row, context);
    await context.store.change(context.actor, async (writers) => {
      for (const { row } of named) await writers.keys.delete(row.token);
    });
    return { deleted_keys: named.map(({ name }) => name) };
  },
});

interface NamedKey {
  /** As the client wrote it. */
  readonly name: string;
  readonly row: KeyRow;
}

async function namedKeys(
  keys: readonly string[],
  aliases: readonly string[],
  { store }: AdminContext,
): Promise<readonly NamedKey[]> {
  const named: NamedKey[] = [];
  const add = (name: string, row: KeyRow | null) => {
    if (row !== null && !named.some((each) => each.row.token === row.token)) named.push({ name, row });
  };
  for (const key of new Set(keys)) add(key, await findKey(store.read.keys, key));
  for (const alias of new Set(aliases)) add(alias, await store.read.keys.find({ key_alias: alias }));
  return named;
}

/** A key as `/key/info` shows it. */
async function infoOf(row: KeyRow, context: AdminContext) {
  const { store } = context;
  const { token: _, ...info } = await shownSpender('key', row, context);
  const budget = row.budget_id === null ? null : await store.read.budgets.get(row.budget_id);
  const permission =
    row.object_permission_id === null ? null : await store.read.objectPermissions.get(row.object_permission_id);
  return { ...info, litellm_budget_table: budget && shown(budget), object_permission: permission && shown(permission) };
}

const infoRoute = adminRoute({
  methods: ['GET'],
  paths: ['/key/info'],
  summary: 'Show a key, without `key` the one that asks.',
  tag: TAG,
  audience: 'role',
  input: z.object({ key: text.optional() }),
  async handle({ key }, context) {
    const { caller } = context;
    const own = caller.kind === 'anybody' ? null : caller.key;
    const wanted = key ?? own?.hash;
    if (wanted === undefined) throw refused('nothing-there', 'The master key has no row: name a key, ?key=.', 'key');
    return { key: wanted, info: await infoOf(await keyFor('/key/info', wanted, context), context) };
  },
});

const infosRoute = adminRoute({
  methods: ['POST'],
  paths: ['/v2/key/info'],
  summary: 'Show several keys.',
  tag: TAG,
  audience: 'role',
  input: z.object({ keys: z.array(text).min(1).max(MOST) }),
  async handle({ keys }, context) {
    const named = await namedKeys(keys, [], context);
    for (const { row } of named) await checkRight('/key/info', row, context);
    return {
      key: named.map(({ name }) => name),
      info: await Promise.all(named.map(({ row }) => infoOf(row, context))),
    };
  },
});

/** A key that the caller may block: who owns it may not undo the block of an admin. @throws Refused */
async function blockable(key: string, context: AdminContext): Promise<KeyRow> {
  const row = await keyFor('/key/update', key, context);
  const team = row.team_id === null ? null : await context.store.read.teams.get(row.team_id);
  checkOrganization(context.caller, row.organization_id ?? team?.organization_id);
  return row;
}

/** Block and unblock. */
const blockRoute = (path: '/key/block' | '/key/unblock', summary: string) => {
  const blocked = path === '/key/block';
  return adminRoute({
    methods: ['POST'],
    paths: [path],
    summary,
    tag: TAG,
    audience: 'organization',
    input: z.object({ key: text }),
    async handle({ key }, context) {
      const { token } = await blockable(key, context);
      const row = await context.store.change(context.actor, ({ keys }) =>
        keys.update(token, { blocked }, blocked ? 'blocked' : 'unblocked'),
      );
      return shown(found(row, 'Key not found in database: it was deleted just now.', 'key'));
    },
  });
};

const regenerateRoute = adminRoute({
  methods: ['POST'],
  paths: ['/key/regenerate', '/key/{key}/regenerate'],
  summary: 'Give a key a new text; `key_id`, spend and settings stay. The old text works for `grace_period`.',
  tag: TAG,
  audience: 'role',
  input: keyChanges.extend({
    key: text.nullish(),
    new_key: text.nullish(),
    new_master_key: text.nullish(),
    grace_period: span.nullish(),
  }),
  ignored,
  async handle({ key, new_key, new_master_key, grace_period, ...changes }, context) {
    if (new_master_key != null) throw masterKeyIsNotHere();
    const wanted = key ?? (context.caller.kind === 'user' ? context.caller.key.hash : null);
    if (wanted === null) throw refused('bad-fields', 'Which key? Send `key`: itself, its hash or its key_id.', 'key');
    const before = await keyFor('/key/regenerate', wanted, context);
    await checkFields(changes, before, context);
    const newText = new_key == null ? newKeyText(context.ports) : chosenKeyText(new_key, 'new_key');
    const row = await context.store.change(context.actor, async (writers) => {
      const { token, key_name } = traceOf(newText);
      const columns = await keyColumns(writers, changes, before, context);
      return writers.keys.rotate(before.token, {
        token,
        patch: { ...columns, key_name },
        graceUntil: graceOf(grace_period ?? null, context),
      });
    });
    return madeKeyAnswer({ text: newText, row: found(row, 'Key not found in database.', 'key') }, context);
  },
});

function graceOf(period: string | null, { now }: AdminContext): Date | null {
  const length = period === null ? null : parseDuration(period);
  return length === null ? null : new Date(after(epochMillis(now), length));
}

function masterKeyIsNotHere() {
  const message =
    'The master key is in the environment of the gateway, not in its database: change LITELLM_MASTER_KEY and restart. Virtual keys stay as they are.';
  return refused('bad-fields', message, 'new_master_key');
}

const resetSpendRoute = adminRoute({
  methods: ['POST'],
  paths: ['/key/{key}/reset_spend'],
  summary: 'Say what a key is to have spent. The ledger keeps what it did spend.',
  tag: TAG,
  audience: 'admin',
  input: z.object({ key: text, reset_to: amount }),
  async handle({ key, reset_to }, context) {
    const before = await keyFor('/key/update', key, context);
    return shown(await updateKey(before.token, { spend: reset_to }, context));
  },
});

const healthRoute = adminRoute({
  methods: ['POST'],
  paths: ['/key/health'],
  summary: 'Say whether the key that asks works.',
  tag: TAG,
  audience: 'role',
  input: z.object({}),
  handle: () => ({ key: 'healthy', logging_callbacks: null }),
});

export const keyRoutes = [
  generateRoute,
  serviceAccountRoute,
  updateRoute,
  bulkUpdateRoute,
  deleteRoute,
  infoRoute,
  infosRoute,
  listRoute,
  aliasesRoute,
  blockRoute('/key/block', 'Refuse a key until it is unblocked.'),
  blockRoute('/key/unblock', 'Admit a blocked key again.'),
  regenerateRoute,
  resetSpendRoute,
  healthRoute,
];
