import { parseArgs } from 'node:util';
import { arrayMember, isObject, type Json, type JsonObject } from '../core/json.ts';
import { type AdminAnswer, type AdminRequest, askAdmin } from './admin-client.ts';
import { readEnvFile } from './environment.ts';
import type { Io } from './io.ts';

const USAGE = `Usage: tollgate keys COMMAND [--json] [--url URL] [--env-file FILE]

Manages virtual keys of a running gateway, through its admin API.
  create [--alias NAME] [--models a,b] [--team ID] [--user ID] [--max-budget USD] [--budget-duration 30d]
         [--duration 30d] [--rpm N] [--tpm N] [--tags a,b]      prints the key, once
  list [--team ID] [--user ID] [--alias NAME] [--page N]
  info KEY          KEY is the key itself, its hash or its key_id
  block KEY, unblock KEY
  delete KEY...
The gateway is at --url or TOLLGATE_URL (default http://127.0.0.1:4000); LITELLM_MASTER_KEY says who asks.
Exit code: 0 done, 1 refused or not reached, 2 wrong use.
`;

const value = { type: 'string' } as const;
const OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  url: value,
  'env-file': value,
  alias: value,
  models: value,
  team: value,
  user: value,
  'max-budget': value,
  'budget-duration': value,
  duration: value,
  rpm: value,
  tpm: value,
  tags: value,
  page: value,
} as const;

type Flags = { readonly [Name in keyof typeof OPTIONS]?: string | boolean | undefined };

/** A flag, the field that it sets, and how its text is read. */
interface FlagField {
  readonly flag: keyof typeof OPTIONS;
  readonly field: string;
  readonly read: (text: string) => Json;
}

const asText = (text: string): Json => text;
const asList = (text: string): Json => text.split(',').map((word) => word.trim());
/** What is no number goes as it is, and the gateway says what it expected. */
const asNumber = (text: string): Json => (text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text));

const CREATE: readonly FlagField[] = [
  { flag: 'alias', field: 'key_alias', read: asText },
  { flag: 'models', field: 'models', read: asList },
  { flag: 'team', field: 'team_id', read: asText },
  { flag: 'user', field: 'user_id', read: asText },
  { flag: 'max-budget', field: 'max_budget', read: asNumber },
  { flag: 'budget-duration', field: 'budget_duration', read: asText },
  { flag: 'duration', field: 'duration', read: asText },
  { flag: 'rpm', field: 'rpm_limit', read: asNumber },
  { flag: 'tpm', field: 'tpm_limit', read: asNumber },
  { flag: 'tags', field: 'tags', read: asList },
];
const LIST: readonly FlagField[] = [
  { flag: 'team', field: 'team_id', read: asText },
  { flag: 'user', field: 'user_id', read: asText },
  { flag: 'alias', field: 'key_alias', read: asText },
  { flag: 'page', field: 'page', read: asText },
];

interface Command {
  readonly takes: 'no key' | 'one key' | 'some keys';
  readonly flags: readonly FlagField[];
  request(fields: JsonObject, keys: readonly string[]): AdminRequest;
  /** The answer for people. */
  text(body: JsonObject): string;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  create: {
    takes: 'no key',
    flags: CREATE,
    request: (body) => ({ method: 'POST', path: '/key/generate', body }),
    text: ({ key, key_id, key_alias }) =>
      `${key}\n\nkey_id ${key_id}${key_alias === null ? '' : `, alias ${key_alias}`}. The key is shown this once.\n`,
  },
  list: {
    takes: 'no key',
    flags: LIST,
    request: (fields) => ({
      method: 'GET',
      path: '/key/list',
      query: { ...(fields as Record<string, string>), return_full_object: 'true', size: '100' }, // read as text above
    }),
    text: listText,
  },
  info: {
    takes: 'one key',
    flags: [],
    request: (_, [key = '']) => ({ method: 'GET', path: '/key/info', query: { key } }),
    text: ({ info }) => `${JSON.stringify(info, null, 2)}\n`,
  },
  block: {
    takes: 'one key',
    flags: [],
    request: (_, [key = '']) => ({ method: 'POST', path: '/key/block', body: { key } }),
    text: ({ key_name }) => `${key_name} is blocked.\n`,
  },
  unblock: {
    takes: 'one key',
    flags: [],
    request: (_, [key = '']) => ({ method: 'POST', path: '/key/unblock', body: { key } }),
    text: ({ key_name }) => `${key_name} is admitted again.\n`,
  },
  delete: {
    takes: 'some keys',
    flags: [],
    request: (_, keys) => ({ method: 'POST', path: '/key/delete', body: { keys } }),
    text: (body) => `${arrayMember(body, 'deleted_keys').length} deleted.\n`,
  },
};

/**
 * `tollgate keys create|list|info|block|unblock|delete`.
 *
 * @returns the exit code: 0 done, 1 refused or not reached, 2 wrong use
 */
export async function keys(argv: readonly string[], io: Io): Promise<number> {
  const asked = readArguments(argv);
  if (asked === 'help') {
    io.write(USAGE);
    return 0;
  }
  if (typeof asked === 'string') {
    io.writeError(`tollgate keys: ${asked}\n\n${USAGE}`);
    return 2;
  }
  const access = accessOf(asked.flags, io);
  if (typeof access === 'string') {
    io.writeError(`tollgate keys: ${access}\n`);
    return 1;
  }
  const answer = await askAdmin(access, asked.request);
  if (answer.kind === 'done' && isObject(answer.body)) {
    io.write(asked.flags.json === true ? `${JSON.stringify(answer.body)}\n` : asked.command.text(answer.body));
    return 0;
  }
  io.writeError(`tollgate keys: ${complaint(answer, access.url)}\n`);
  return 1;
}

interface Asked {
  readonly command: Command;
  readonly request: AdminRequest;
  readonly flags: Flags;
}

function readArguments(argv: readonly string[]): Asked | string {
  const parsed = parse(argv);
  if (typeof parsed === 'string') return parsed;
  const { values, positionals } = parsed;
  if (values.help === true || argv.length === 0) return 'help';
  const [name = '', ...named] = positionals;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) return `there is no command '${name}'.`;
  if (!fits(command.takes, named.length)) return `${name} takes ${command.takes}.`;
  const fields = fieldsOf(command, values);
  if (typeof fields === 'string') return `${name} does not take ${fields}.`;
  return { command, request: command.request(fields, named), flags: values };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, strict: true, options: OPTIONS });
  } catch (error) {
    return (error as Error).message.split('\n', 1)[0] ?? ''; // parseArgs throws nothing else
  }
}

const fits = (takes: Command['takes'], count: number): boolean =>
  takes === 'no key' ? count === 0 : takes === 'one key' ? count === 1 : count > 0;

const GENERAL: ReadonlySet<string> = new Set(['json', 'help', 'url', 'env-file']);

/** The fields that flags set; a text names a flag that the command does not take. */
function fieldsOf(command: Command, flags: Flags): JsonObject | string {
  const fields: Record<string, Json> = {};
  for (const [flag, text] of Object.entries(flags)) {
    if (GENERAL.has(flag)) continue;
    const known = command.flags.find((each) => each.flag === flag);
    if (known === undefined) return `--${flag}`;
    fields[known.field] = known.read(String(text));
  }
  return fields;
}

function accessOf(flags: Flags, io: Io) {
  const file = flags['env-file'];
  const env = readEnvFile(io, typeof file === 'string' ? file : null);
  if (typeof env === 'string') return env;
  const key = env.LITELLM_MASTER_KEY ?? '';
  if (key === '')
    return 'LITELLM_MASTER_KEY is not set, so the gateway would not know who asks. Set it, or name its file with --env-file.';
  const url = typeof flags.url === 'string' ? flags.url : (env.TOLLGATE_URL ?? 'http://127.0.0.1:4000');
  if (!/^https?:\/\//.test(url)) return `the address '${url}' must start with http:// or https://.`;
  return { url: url.replace(/\/+$/, ''), key };
}

function complaint(answer: AdminAnswer, url: string): string {
  switch (answer.kind) {
    case 'done':
      return `the answer of ${url} is not one of a Tollgate gateway: look at the address.`;
    case 'refused':
      return `${answer.message} (${answer.status} from ${url})`;
    case 'unreachable':
      return `no gateway answers at ${url}: ${answer.message}\nStart it, or say where it is with --url or TOLLGATE_URL.`;
  }
}

const COLUMNS = ['key_id', 'key_name', 'key_alias', 'team_id', 'user_id', 'spend', 'max_budget', 'blocked'] as const;

function listText(body: JsonObject): string {
  const rows = arrayMember(body, 'keys').filter(isObject);
  const lines = rows.map((row) => COLUMNS.map((name) => (row[name] === null ? '-' : printable(String(row[name])))));
  const widths = COLUMNS.map((name, column) =>
    Math.max(name.length, ...lines.map((line) => line[column]?.length ?? 0)),
  );
  const table = [COLUMNS, ...lines].map((line) =>
    line
      .map((word, column) => word.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${table.join('\n')}\n${body.total_count} keys, page ${body.current_page} of ${body.total_pages}\n`;
}

/** Names are chosen by clients: nothing that a terminal would obey. */
const printable = (text: string): string => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?').slice(0, 40);
