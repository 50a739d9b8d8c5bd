import { createHash } from 'node:crypto';
import { nearest } from '../core/nearest.ts';
import { Secret } from '../core/secret.ts';
import type { CallbackKind, CallbackSettings, SecretHeaders, TelemetrySettings } from '../core/telemetry-settings.ts';
import type { Sampling } from '../core/trace-context.ts';
import { VERSION } from '../core/version.ts';
import { type Environment, firstVariable, variable } from './environment.ts';
import type { Findings } from './findings.ts';
import { isHttp } from './http-address.ts';
import type { ConfigFile } from './keys/root.ts';
import { keyPlace, type MapTree, NOWHERE, type Path } from './tree.ts';

/** What it is compiled from. */
interface Sources {
  readonly file: ConfigFile;
  readonly tree: MapTree;
  readonly environment: Environment;
  readonly findings: Findings;
}

/**
 * Tracing and callbacks: names from the file, addresses and credentials from LiteLLM's and OpenTelemetry's variables.
 *
 * A receiver that cannot be used is a warning and left out: nothing here keeps a gateway from starting.
 */
export function compileTelemetry(sources: Sources): TelemetrySettings {
  const callbacks = compileCallbacks(sources);
  const hasSpans = callbacks.some(({ kind }) => kind === 'otlp');
  const settings = {
    sampling: hasSpans ? samplingOf(sources) : null,
    resource: resourceOf(sources.environment),
    callbacks,
  };
  return { ...settings, fingerprint: fingerprintOf(settings) };
}

/** Credentials count too: a rotated key has to reach who sends. */
function fingerprintOf(settings: Omit<TelemetrySettings, 'fingerprint'>): string {
  const hash = createHash('sha256').update(JSON.stringify(settings));
  for (const secret of secretsOf(settings)) hash.update('\0').update(secret.reveal());
  return hash.digest('hex');
}

function secretsOf(value: unknown): readonly Secret[] {
  if (value instanceof Secret) return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(secretsOf) : [];
}

// Callbacks.

const LISTS = { success_callback: 'success', failure_callback: 'failure', callbacks: 'all' } as const;

/** LiteLLM's names, and what they are here. `prometheus` needs nobody: metrics are always served. */
const CALLBACKS: Readonly<Record<string, { readonly name: string; make(sources: Sources): CallbackKind | string }>> = {
  otel: { name: 'otel', make: otel },
  langfuse: { name: 'langfuse', make: langfuse },
  langfuse_otel: { name: 'langfuse', make: langfuse },
  generic_api: { name: 'generic_api', make: genericApi },
  s3: { name: 's3', make: bucket },
  s3_v2: { name: 's3', make: bucket },
};

/** The names that are honoured, for messages. */
const CALLBACK_NAMES = [...Object.keys(CALLBACKS), 'prometheus'];

function compileCallbacks(sources: Sources): readonly CallbackSettings[] {
  const wanted = wantedCallbacks(sources);
  const { environment, findings } = sources;
  if (!wanted.has('otel') && tracesByVariable(environment)) wanted.set('otel', { wants: 'all', path: [] });
  const made: CallbackSettings[] = [];
  for (const [key, { wants, path }] of wanted) {
    const { name, make } = CALLBACKS[key] as (typeof CALLBACKS)[string]; // only known names are wanted
    const kind = make(sources);
    if (typeof kind === 'string')
      findings.add('warning', placeOf(sources.tree, path), path, `${key}: ${kind}; nothing is sent to it.`);
    else merge(made, { name, wants, ...kind });
  }
  return made;
}

/** Two names of one receiver (`s3` and `s3_v2`) are one receiver. */
function merge(made: CallbackSettings[], next: CallbackSettings): void {
  const index = made.findIndex(({ name }) => name === next.name);
  const before = made[index];
  if (before === undefined) made.push(next);
  else if (before.wants !== next.wants) made[index] = { ...before, wants: 'all' };
}

interface Wanted {
  readonly wants: CallbackSettings['wants'];
  readonly path: Path;
}

function wantedCallbacks({ file, tree, findings }: Sources): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const [list, wants] of Object.entries(LISTS)) {
    const value = file.litellm_settings?.[list as keyof typeof LISTS];
    const path = ['litellm_settings', list];
    for (const name of typeof value === 'string' ? [value] : (value ?? [])) {
      if (name === 'prometheus') continue;
      const before = wanted.get(name);
      if (Object.hasOwn(CALLBACKS, name))
        wanted.set(name, { wants: before === undefined || before.wants === wants ? wants : 'all', path });
      else unknownCallback(name, placeOf(tree, path), path, findings);
    }
  }
  return wanted;
}

function unknownCallback(name: string, at: ReturnType<typeof placeOf>, path: Path, findings: Findings): void {
  const near = nearest(name, CALLBACK_NAMES, 1)[0];
  findings.add('warning', at, path, `The callback ${name} is not honoured: nothing is sent to it.`, {
    expected: `some of ${CALLBACK_NAMES.join(', ')}`,
    ...(near === undefined ? {} : { hint: near }),
  });
}

const placeOf = (tree: MapTree, path: Path) => (path.length === 0 ? NOWHERE : keyPlace(tree, path));

// Spans.

const DEFAULT_OTLP = 'http://localhost:4318';
const TRACES_PATH = '/v1/traces';

/** As OpenTelemetry's own agents: an address in the environment is enough, whatever the file says. */
function tracesByVariable(environment: Environment): boolean {
  if (variable(environment, 'OTEL_TRACES_EXPORTER') === 'none' || isDisabled(environment)) return false;
  return (
    firstVariable(environment, [
      'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'OTEL_ENDPOINT',
    ]) !== null
  );
}

const isDisabled = (environment: Environment): boolean =>
  /^true$/i.test(variable(environment, 'OTEL_SDK_DISABLED') ?? '');

function otel({ environment }: Sources): CallbackKind | string {
  if (isDisabled(environment)) return 'OTEL_SDK_DISABLED is set';
  const exporter = variable(environment, 'OTEL_EXPORTER') ?? 'otlp_http';
  if (!['otlp_http', 'http/json', 'http/protobuf'].includes(exporter))
    return `OTEL_EXPORTER is ${exporter}, and only OTLP over HTTP is built (otlp_http)`;
  const protocol = firstVariable(environment, ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL']);
  if (protocol?.value === 'grpc') return `${protocol.name} is grpc, and only OTLP over HTTP is built (http/json)`;
  const headers = firstVariable(environment, [
    ...['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_HEADERS'],
  ]);
  return toHttp(otlpAddress(environment), 'otlp', headers);
}

/** The address for traces is taken as it is, the one for all signals gets the path (OTLP exporter specification). */
function otlpAddress(environment: Environment): Variable {
  const own = firstVariable(environment, ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']);
  if (own !== null) return own;
  const all = firstVariable(environment, ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_ENDPOINT']);
  const { name, value } = all ?? { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: DEFAULT_OTLP };
  const base = value.replace(/\/+$/, '');
  return { name, value: base.endsWith(TRACES_PATH) ? base : base + TRACES_PATH };
}

/** @see https://langfuse.com/integrations/native/opentelemetry, read 2026-11-23: OTLP over HTTP, basic authentication */
function langfuse({ environment }: Sources): CallbackKind | string {
  const publicKey = variable(environment, 'LANGFUSE_PUBLIC_KEY');
  const secretKey = variable(environment, 'LANGFUSE_SECRET_KEY');
  if (publicKey === null || secretKey === null) return 'LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not both set';
  const host = firstVariable(environment, ['LANGFUSE_OTEL_HOST', 'LANGFUSE_HOST', 'LANGFUSE_BASE_URL']);
  const { name, value } = host ?? { name: 'LANGFUSE_HOST', value: 'https://cloud.langfuse.com' };
  const made = toHttp({ name, value: `${withScheme(value)}/api/public/otel${TRACES_PATH}` }, 'otlp', null);
  if (typeof made === 'string') return made;
  const basic = Buffer.from(`${publicKey}:${secretKey}`).toString('base64');
  return { ...made, headers: [['authorization', new Secret(`Basic ${basic}`)]] };
}

const withScheme = (host: string): string => (/^https?:\/\//.test(host) ? host : `https://${host}`).replace(/\/+$/, '');

/** `OTEL_TRACES_SAMPLER`; OpenTelemetry's default is to keep all, and to follow a caller that has decided. */
function samplingOf({ environment, findings }: Sources): Sampling {
  const name = variable(environment, 'OTEL_TRACES_SAMPLER') ?? 'parentbased_always_on';
  const [, parent, kind] = /^(parentbased_)?(always_on|always_off|traceidratio)$/.exec(name) ?? [];
  if (kind === undefined)
    findings.add('warning', NOWHERE, [], `OTEL_TRACES_SAMPLER is ${name}, which is not built; every trace is kept.`);
  const argument = Number(variable(environment, 'OTEL_TRACES_SAMPLER_ARG') ?? 1);
  const ratio = argument >= 0 && argument <= 1 ? argument : 1;
  const ratios: Readonly<Record<string, number>> = { always_off: 0, traceidratio: ratio };
  return { ratio: ratios[kind ?? ''] ?? 1, isParentBased: kind === undefined || parent !== undefined };
}

function resourceOf(environment: Environment): Readonly<Record<string, string>> {
  const resource: Record<string, string> = { 'service.name': 'tollgate', 'service.version': VERSION };
  const listed = pairsOf(variable(environment, 'OTEL_RESOURCE_ATTRIBUTES') ?? '');
  for (const [key, value] of listed ?? []) resource[key] = value;
  const name = variable(environment, 'OTEL_SERVICE_NAME');
  const stage = variable(environment, 'OTEL_ENVIRONMENT_NAME');
  if (name !== null) resource['service.name'] = name;
  if (stage !== null) resource['deployment.environment.name'] = stage;
  return resource;
}

// Addresses and headers.

type Variable = NonNullable<ReturnType<typeof firstVariable>>;

function toHttp<Kind extends 'otlp' | 'payloads'>(address: Variable, kind: Kind, headers: Variable | null) {
  if (!isHttp(address.value)) return `${address.name} is no address that starts with http:// or https://`;
  const pairs = headers === null ? [] : headersOf(headers.value);
  if (pairs === null) return `${headers?.name} is no list of headers, as name=value,name=value`;
  return { kind, url: new Secret(address.value), headers: pairs };
}

function headersOf(text: string): SecretHeaders | null {
  const pairs = pairsOf(text);
  const isSound = pairs?.every(
    ([name, value]) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && /^[\x20-\x7e]*$/.test(value),
  );
  return isSound ? (pairs ?? []).map(([name, value]) => [name.toLowerCase(), new Secret(value)] as const) : null;
}

/** `name=value,name=value`, values percent-encoded (W3C Baggage); null when it is something else. */
function pairsOf(text: string): readonly (readonly [string, string])[] | null {
  const pairs: [string, string][] = [];
  for (const part of text.split(',').filter((each) => each.trim() !== '')) {
    const at = part.indexOf('=');
    if (at < 1) return null;
    pairs.push([part.slice(0, at).trim(), decoded(part.slice(at + 1).trim())]);
  }
  return pairs;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Payloads.

function genericApi({ environment }: Sources): CallbackKind | string {
  const address = firstVariable(environment, ['GENERIC_LOGGER_ENDPOINT']);
  if (address === null) return 'GENERIC_LOGGER_ENDPOINT is not set';
  return toHttp(address, 'payloads', firstVariable(environment, ['GENERIC_LOGGER_HEADERS']));
}

function bucket({ file, environment }: Sources): CallbackKind | string {
  const params = file.litellm_settings?.s3_callback_params ?? {};
  const name = params.s3_bucket_name;
  if (name === undefined) return 's3_callback_params.s3_bucket_name is not set';
  const accessKeyId = params.s3_aws_access_key_id ?? variable(environment, 'AWS_ACCESS_KEY_ID');
  const secret = params.s3_aws_secret_access_key ?? variable(environment, 'AWS_SECRET_ACCESS_KEY');
  if (accessKeyId === null || secret === null)
    return 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set, nor their keys in s3_callback_params';
  const endpoint = params.s3_endpoint_url?.replace(/\/+$/, '') ?? null;
  if (endpoint !== null && !isHttp(endpoint))
    return 's3_endpoint_url is no address that starts with http:// or https://';
  const token = params.s3_aws_session_token ?? variable(environment, 'AWS_SESSION_TOKEN');
  const region = firstVariable(environment, ['AWS_REGION', 'AWS_REGION_NAME', 'AWS_DEFAULT_REGION'])?.value;
  return {
    kind: 'objects',
    bucket: {
      ...{ name, endpoint, accessKeyId, region: params.s3_region_name ?? region ?? 'us-east-1' },
      secretAccessKey: new Secret(secret),
      sessionToken: token === null ? null : new Secret(token),
      path: params.s3_path ?? '',
      usesTeamPrefix: params.s3_use_team_prefix ?? false,
    },
  };
}
