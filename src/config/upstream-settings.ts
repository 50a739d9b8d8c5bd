import { Secret } from '../core/secret.ts';
import type { UpstreamSettings } from '../core/snapshot.ts';
import type { Provider } from '../providers/provider.ts';
import { type Environment, firstVariable } from './environment.ts';
import type { LitellmParams } from './keys/root.ts';
import { extraBody, extraHeaders } from './request-extras.ts';
import { type Entry, isUnset, scalars } from './tree.ts';

/** The parameters of a deployment with everything that it inherits; its own win. */
export interface InheritedParams {
  readonly values: LitellmParams;
  /** The same as written, which tells a reference that is unset from a parameter that was not given. */
  readonly trees: ReadonlyMap<string, Entry>;
}

export interface ResolvedUpstream {
  readonly settings: UpstreamSettings;
  /** Variables to set before the deployment can be used, each once. */
  readonly missingVariables: readonly string[];
  /** Why the settings cannot be used whatever variables are set, or null. */
  readonly problem: string | null;
}

/** Address and credentials of a deployment: its own parameters, then the provider's variables. */
export function upstreamSettings(
  params: InheritedParams,
  provider: Provider | null,
  organization: string | null,
  environment: Environment,
): ResolvedUpstream {
  const { values } = params;
  const defaults = provider?.defaults ?? null;
  const configuredBase = values.api_base ?? values.base_url ?? null;
  const base = configuredBase ?? firstVariable(environment, defaults?.baseUrlVariables ?? [])?.value ?? null;
  const key = values.api_key ?? firstVariable(environment, defaults?.apiKeyVariables ?? [])?.value ?? null;
  const version = values.api_version ?? firstVariable(environment, defaults?.apiVersionVariables ?? [])?.value ?? null;

  const needsBase = base === null && defaults?.baseUrl === null && !isReferred(params, 'api_base', 'base_url');
  const hasKey = key !== null || values.azure_ad_token !== undefined || isReferred(params, 'api_key', 'azure_ad_token');
  // A server of one's own behind a public provider's protocol often wants no key.
  const isElsewhere =
    configuredBase !== null && typeof defaults?.baseUrl === 'string' && trimmed(configuredBase) !== defaults.baseUrl;
  const needsKey = !hasKey && !isElsewhere && defaults?.needsKey === true;

  const missing = unsetVariables(params);
  const problems = [...badUrl(base), ...badKey(key)];
  if (needsBase) require(defaults?.baseUrlVariables ?? [], 'api_base is missing', missing, problems);
  if (needsKey) require(defaults?.apiKeyVariables ?? [], 'api_key is missing', missing, problems);
  return {
    missingVariables: [...missing],
    problem: problems[0] ?? null,
    settings: {
      baseUrl: base === null ? null : trimmed(base),
      apiKey: key === null ? null : new Secret(key.trim()),
      apiVersion: version,
      organization,
      extraHeaders: extraHeaders(values),
      extraBody: extraBody(values, params.trees),
    },
  };
}

/** What is needed comes from the provider's first variable, or, where it has none, only from the file. */
function require(variables: readonly string[], problem: string, missing: Set<string>, problems: string[]): void {
  const [name] = variables;
  if (name === undefined) problems.push(problem);
  else missing.add(name);
}

function unsetVariables({ trees }: InheritedParams): Set<string> {
  const names = new Set<string>();
  for (const { value } of trees.values()) {
    for (const { scalar } of scalars(value))
      if (isUnset(scalar) && scalar.reference !== null) names.add(scalar.reference);
  }
  return names;
}

/** Whether one of the parameters refers to a variable that is unset: then that variable is named, not the provider's. */
function isReferred({ trees }: InheritedParams, ...names: readonly string[]): boolean {
  return names.some((name) => {
    const entry = trees.get(name);
    return entry !== undefined && isUnset(entry.value);
  });
}

const trimmed = (url: string): string => url.trim().replace(/\/+$/, '');

/** A key that no header can carry would fail every request with an error that names no reason. */
const badKey = (key: string | null): readonly string[] =>
  key === null || /^[\x20-\x7e]*$/.test(key.trim()) ? [] : ['api_key holds characters that no header can carry'];

function badUrl(url: string | null): readonly string[] {
  if (url === null) return [];
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    return ['api_base is no address; it starts with https:// or http://'];
  }
  // The base URL is shown in a response header.
  if (parsed.username !== '' || parsed.password !== '') {
    return ['api_base holds a name or password; use extra_headers'];
  }
  return [];
}
