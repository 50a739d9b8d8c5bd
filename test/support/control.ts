import { hash, randomBytes } from 'node:crypto';
import { pricingPorts } from '../../src/cli/pricing.ts';
import { checkStored, type LoadOptions, loadConfig } from '../../src/config/load.ts';
import { renderFindings } from '../../src/config/report.ts';
import { maskedJson } from '../../src/config/stored.ts';
import { createControl } from '../../src/control/control.ts';
import { type ControlSettings, type ModelPorts, PLAIN_SETTINGS } from '../../src/control/ports.ts';
import { gatewayError } from '../../src/core/errors.ts';
import type { Directory, KeyOwner, Principal, User, UserRole, VirtualKey } from '../../src/core/identity.ts';
import { keyHash, keyId, organizationId, teamId, userId } from '../../src/core/ids.ts';
import { modelAccess } from '../../src/core/model-access.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { epochMillis } from '../../src/core/units.ts';
import type { TokenCounter } from '../../src/gateway/ports.ts';
import { SecretBox } from '../../src/secrets/secret-box.ts';
import type { KeyRow } from '../../src/store/schema/identity.ts';
import type { Store } from '../../src/store/store.ts';
import { countLongest } from '../../src/tokens/count.ts';
import { measuresFor } from '../../src/tokens/encoding.ts';
import { serve } from '../../src/transport/h1-server.ts';
import type { ServerRequest } from '../../src/transport/server.ts';
import { systemClock } from '../../src/transport/system-clock.ts';
import { directoryOf, keyOf, organizationOf, teamOf, userOf } from './identity.ts';
import { type DATABASES, type TestStore, testStore } from './store.ts';

/** The operator's key in these tests. */
export const MASTER = 'sk-canary-master-key';

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
type Body = any;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; the text when it is no JSON. */
  readonly body: Body;
}

/** The admin API behind a real socket, on a database of its own, without a data plane. */
export interface ControlBench {
  readonly url: string;
  readonly store: Store;
  /** Everything that any answer or log line has said since the start, for searches. */
  readonly said: string[];
  readonly faults: unknown[];
  settings: ControlSettings;
  /** `store_model_in_db`. */
  storesModels: boolean;
  /** Whose deployments have prices. */
  snapshot: Snapshot;
  ask(method: string, path: string, input?: unknown, more?: Asking): Promise<Answer>;
  get(path: string, query?: Record<string, string>, more?: Asking): Promise<Answer>;
  post(path: string, body?: unknown, more?: Asking): Promise<Answer>;
  stop(): Promise<void>;
}

export interface Asking {
  /** The operator's when it is not given; null for none. */
  readonly key?: string | null;
  readonly headers?: Record<string, string>;
}

/** Starts one. */
export async function startControl(kind: (typeof DATABASES)[number]): Promise<ControlBench> {
  const opened = await testStore(kind);
  return benchOf(opened);
}

/** The same on a store that is open already; `stop` removes it. */
export function benchOf(opened: TestStore): ControlBench {
  const { store } = opened;
  const faults: unknown[] = [];
  const said: string[] = [];
  const people = new People(store);
  const control = createControl({
    store,
    clock: systemClock,
    authenticate: (request) => people.authenticate(request),
    directory: () => people.directory,
    settings: () => bench.settings,
    models: modelsOf(() => bench),
    pricing: pricingPorts(() => bench.snapshot, TOKENS),
    randomBytes: (count) => randomBytes(count),
    log: { internalError: ({ error }) => void faults.push(error) },
  });
  const options = { hostname: '127.0.0.1', port: 0, maxBodyBytes: 1 << 20, bodyTimeoutMs: 10_000, idleSeconds: 30 };
  const notOurs = { kind: 'whole', status: 599, headers: [], body: 'not a path of the admin API' } as const;
  const server = serve(
    options,
    (request) => (control.handles(request.path) ? control.handle(request) : notOurs),
    (error) => void faults.push(error),
  );
  const url = `http://127.0.0.1:${server.port}`;
  const ask: ControlBench['ask'] = async (method, path, input, { key = MASTER, headers = {} } = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(key !== null && { authorization: `Bearer ${key}` }),
        ...headers,
      },
      body: input === undefined ? null : typeof input === 'string' ? input : JSON.stringify(input),
    });
    const text = await response.text();
    said.push(text, JSON.stringify([...response.headers]));
    return { status: response.status, headers: response.headers, text, body: parsed(text) };
  };
  const bench: ControlBench = {
    url,
    store,
    said,
    faults,
    settings: PLAIN_SETTINGS,
    storesModels: true,
    snapshot: configured('model_list: []'),
    ask,
    get: (path, query = {}, more = {}) => ask('GET', `${path}?${new URLSearchParams(query)}`, undefined, more),
    post: (path, body, more) => ask('POST', path, body, more),
    async stop() {
      await server.stop(0);
      await opened.remove();
    },
  };
  return bench;
}

/** Counts as the worker does, but here: on a busy machine a worker may need longer to start than a request waits. */
const TOKENS: TokenCounter = {
  async count(prompts, models, enough) {
    const { countTokens } = await import('gpt-tokenizer/encoding/o200k_base');
    return countLongest(prompts, measuresFor(models), enough, new Map([['o200k_base', countTokens]]));
  },
};

/** The snapshot of a configuration file. */
export function configured(text: string): Snapshot {
  const loaded = loadConfig({ path: 'config.yaml', readFile: () => text, env: {}, strict: false, demo: null });
  if (loaded.kind === 'invalid') throw new Error(renderFindings(loaded.findings));
  return { ...loaded.snapshot, version: 1 };
}

/** Models are kept where a test says so; the file has none. */
function modelsOf(bench: () => ControlBench): ModelPorts {
  const load: LoadOptions = { path: null, readFile: () => '', env: {}, strict: false, demo: null };
  return {
    isEnabled: () => bench().storesModels,
    box: new SecretBox('salt-of-the-tests'),
    isInFile: (id) => id === 'of-the-file',
    problem: (model) => checkStored(model, load),
    masked: maskedJson,
  };
}

function parsed(text: string): Body {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Keys and their owners as the store has them at the moment: enough for authorization, without limits or budgets. */
class People {
  directory: Directory = directoryOf({});
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async authenticate(request: ServerRequest): Promise<Principal | ReturnType<typeof gatewayError>> {
    const presented = request.header('authorization')?.replace(/^Bearer /, '') ?? '';
    if (presented === '') return gatewayError('no-key', 'Authentication Error, No api key passed in.');
    if (presented === MASTER) return { kind: 'master' };
    const found = await this.#store.read.keys.findByHash(hash('sha256', presented));
    if (found === null) return gatewayError('unknown-key', 'Authentication Error, Invalid proxy server token passed.');
    const key = keyFrom(found.row);
    this.directory = await this.#behind(found.row, key);
    return { kind: 'virtual-key', key };
  }

  async #behind(row: KeyRow, key: VirtualKey): Promise<Directory> {
    const { users, teams } = this.#store.read;
    const user = row.user_id === null ? null : await users.get(row.user_id);
    const team = row.team_id === null ? null : await teams.get(row.team_id);
    const owners: User[] = user?.user_role == null ? [] : [userOf(user.user_id, { role: user.user_role as UserRole })];
    return directoryOf({
      keys: [key],
      users: owners,
      teams: team === null ? [] : [teamOf(team.team_id, { isBlocked: team.blocked })],
      organizations: row.organization_id === null ? [] : [organizationOf(row.organization_id)],
    });
  }
}

function keyFrom(row: KeyRow): VirtualKey {
  return keyOf(row.key_id, {
    hash: keyHash(row.token),
    id: keyId(row.key_id),
    name: row.key_name ?? '',
    alias: row.key_alias,
    owner: ownerOf(row),
    organizationId: row.organization_id === null ? null : organizationId(row.organization_id),
    expiry: row.expires === null ? null : epochMillis(row.expires.getTime()),
    isBlocked: row.blocked,
    models: modelAccess(row.models),
    allowedRoutes: row.allowed_routes,
  });
}

function ownerOf({ team_id, user_id }: KeyRow): KeyOwner {
  const user = user_id === null ? null : userId(user_id);
  if (team_id !== null) return { kind: 'team', teamId: teamId(team_id), userId: user };
  return user === null ? { kind: 'nobody' } : { kind: 'user', userId: user };
}
