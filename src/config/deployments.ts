import { deploymentId, groupName, providerId } from '../core/ids.ts';
import type { Deployment, DisabledReason, UpstreamSettings } from '../core/snapshot.ts';
import { teamGroupName } from '../core/team-model.ts';
import { type Millis, seconds } from '../core/units.ts';
import type { Provider } from '../providers/provider.ts';
import { computedId } from './deployment-id.ts';
import { type Environment, variable } from './environment.ts';
import type { Findings } from './findings.ts';
import type { ConfigFile, LitellmParams, ModelEntry } from './keys/root.ts';
import { entryModel } from './prices.ts';
import { masked } from './request-extras.ts';
import { withoutSecrets } from './secret-names.ts';
import { EMPTY_MAP, keyPlace, type MapTree, member, NOWHERE, type Path, type Place } from './tree.ts';
import { type InheritedParams, type ResolvedUpstream, upstreamSettings } from './upstream-settings.ts';

/** What compiling deployments needs besides the file. */
export interface DeploymentContext {
  readonly environment: Environment;
  readonly findings: Findings;
  readonly providers: ProviderLookup;
}

/** The registry of providers, as far as configuration asks it. */
export interface ProviderLookup {
  find(
    configuredModel: string,
    customProvider: string | null,
  ): { readonly provider: Provider; readonly model: string } | null;
  nearest(configuredModel: string): readonly string[];
  all(): readonly Provider[];
}

/** Every deployment of `model_list` in the file's order; unusable ones are disabled with their reason, never left out. */
export function compileDeployments(file: ConfigFile, tree: MapTree, context: DeploymentContext): readonly Deployment[] {
  const sources = new ParamSources(file, tree);
  const deployments: Deployment[] = [];
  const seen = new Map<string, Place>();
  for (const [index, entry] of (file.model_list ?? []).entries()) {
    const path = ['model_list', index];
    const entryTree = member(tree, ...path);
    if (entryTree?.kind !== 'map') continue;
    for (const variant of openEntry(entry, context)) {
      for (const deployment of new EntryCompiler(variant, entryTree, path, sources, context).compile()) {
        deployments.push(unique(deployment, variant, tree, path, seen, context.findings));
      }
    }
  }
  return deployments;
}

/**
 * The entry `*` for the model `*` leaves the provider to the request: one entry for each provider whose credential is in the
 * environment, so that `openai/gpt-4o`, `claude-…` and the like find theirs (litellm.md §1.5). Any other entry is itself.
 */
function openEntry(entry: ModelEntry, { providers, environment }: DeploymentContext): readonly ModelEntry[] {
  const params = entry.litellm_params;
  if (entry.model_name !== '*' || params?.model !== '*') return [entry];
  const isSet = (names: readonly string[]) => names.some((name) => variable(environment, name) !== null);
  const ready = providers
    .all()
    .filter(
      ({ defaults }) =>
        isSet(defaults.apiKeyVariables) && (defaults.baseUrl !== null || isSet(defaults.baseUrlVariables)),
    );
  if (ready.length === 0) return [entry];
  return ready.map(({ id }) => {
    const info = entry.model_info;
    const named = info?.id === undefined ? entry : { ...entry, model_info: { ...info, id: `${info.id}-${id}` } };
    return { ...named, model_name: `${id}/*`, litellm_params: { ...params, model: `${id}/*` } };
  });
}

/** Ids name deployments in headers and metrics: a repeated one in the file is an error, equal entries are told apart by number. */
function unique(
  deployment: Deployment,
  entry: ModelEntry,
  tree: MapTree,
  path: Path,
  seen: Map<string, Place>,
  findings: Findings,
): Deployment {
  const before = seen.get(deployment.id);
  const at = keyPlace(tree, [...path, 'model_name']);
  seen.set(deployment.id, before ?? at);
  if (before === undefined) return deployment;
  if (entry.model_info?.id !== undefined && !Array.isArray(entry.litellm_params?.organization)) {
    findings.add(
      'error',
      keyPlace(tree, [...path, 'model_info', 'id']),
      [...path, 'model_info', 'id'],
      `This id is used already, in line ${before.line}.`,
      {
        found: deployment.id,
        expected: 'an id that no other deployment has',
      },
    );
    return deployment;
  }
  findings.add('warning', at, path, `This entry is the same as the one in line ${before.line}; both are used.`);
  let number = 2;
  while (seen.has(`${deployment.id}-${number}`)) number++;
  seen.set(`${deployment.id}-${number}`, at);
  return { ...deployment, id: deploymentId(`${deployment.id}-${number}`) };
}

/** Parameters that entries inherit: `default_litellm_params` and named credentials. */
class ParamSources {
  readonly defaults: LitellmParams;
  readonly defaultsTree: MapTree;
  readonly #credentials = new Map<string, { readonly values: LitellmParams; readonly tree: MapTree }>();

  constructor(file: ConfigFile, tree: MapTree) {
    this.defaults = file.router_settings?.default_litellm_params ?? {};
    this.defaultsTree = mapAt(tree, 'router_settings', 'default_litellm_params');
    for (const [index, credential] of (file.credential_list ?? []).entries()) {
      if (credential.credential_name === undefined) continue;
      this.#credentials.set(credential.credential_name, {
        values: credential.credential_values ?? {},
        tree: mapAt(tree, 'credential_list', index, 'credential_values'),
      });
    }
  }

  credential(name: string) {
    return this.#credentials.get(name) ?? null;
  }
}

function mapAt(tree: MapTree, ...path: Path): MapTree {
  const value = member(tree, ...path);
  return value?.kind === 'map' ? value : EMPTY_MAP;
}

/** One entry of `model_list` on its way to deployments. */
class EntryCompiler {
  readonly #entry: ModelEntry;
  readonly #tree: MapTree;
  readonly #paramsTree: MapTree;
  readonly #params: LitellmParams;
  readonly #effective: InheritedParams;
  readonly #unknownCredential: string | null;
  readonly #path: Path;
  readonly #context: DeploymentContext;

  constructor(entry: ModelEntry, tree: MapTree, path: Path, sources: ParamSources, context: DeploymentContext) {
    this.#entry = entry;
    this.#tree = tree;
    this.#path = path;
    this.#context = context;
    this.#paramsTree = mapAt(tree, 'litellm_params');
    const own = entry.litellm_params ?? {};
    const name = own.litellm_credential_name ?? null;
    const credential = name === null ? null : sources.credential(name);
    this.#params = { ...sources.defaults, ...credential?.values, ...own };
    const trees = [sources.defaultsTree, credential?.tree ?? EMPTY_MAP, this.#paramsTree];
    this.#effective = { values: this.#params, trees: new Map(trees.flatMap(({ entries }) => [...entries])) };
    this.#unknownCredential = name !== null && credential === null ? name : null;
  }

  compile(): readonly Deployment[] {
    const { organization } = this.#params;
    const organizations = Array.isArray(organization) ? organization : [organization ?? null];
    return organizations.map((name) => this.#deployment(name));
  }

  #deployment(organization: string | null): Deployment {
    const params = this.#params;
    const entry = this.#entry;
    const info = entry.model_info ?? {};
    const configuredModel = params.model ?? '';
    const found = this.#context.providers.find(configuredModel, params.custom_llm_provider ?? null);
    const provider = found?.provider ?? null;
    const id = provider?.id ?? configuredModel.slice(0, Math.max(0, configuredModel.indexOf('/')));
    const model = found?.model ?? configuredModel;
    const known = entryModel({ provider: id, model, params, info });
    const upstream = upstreamSettings(this.#effective, provider, organization, this.#context.environment);
    const disabled = this.#disabled(provider, upstream);
    if (disabled === null) this.#noteApiVersion(provider, upstream.settings);
    return {
      id: deploymentId(this.#id(organization)),
      group: groupName(this.#groupName()),
      provider: providerId(id),
      model,
      configuredModel,
      upstream: upstream.settings,
      disabled,
      order: params.order ?? null,
      weight: params.weight ?? null,
      rpm: params.rpm ?? entry.rpm ?? null,
      tpm: params.tpm ?? entry.tpm ?? null,
      maxParallel: params.max_parallel_requests ?? null,
      tags: params.tags ?? [],
      timeout: duration(params.timeout ?? params.request_timeout),
      streamTimeout: duration(params.stream_timeout),
      numRetries: params.num_retries ?? null,
      cooldown: duration(params.cooldown_time ?? info.cooldown_time),
      allowedFails: params.allowed_fails ?? info.allowed_fails ?? null,
      mockResponse: Array.isArray(params.mock_response)
        ? (params.mock_response[0] ?? null)
        : (params.mock_response ?? null),
      dropParams: params.drop_params ?? null,
      additionalDropParams: params.additional_drop_params ?? [],
      allowedParams: params.allowed_openai_params ?? [],
      maxInputTokens: info.max_input_tokens ?? known.maxInputTokens,
      maxOutputTokens: info.max_output_tokens ?? info.max_tokens ?? known.maxOutputTokens,
      price: known.price,
      isWildcard: (entry.model_name ?? '').includes('*'),
      isStored: false,
      info: masked(mapAt(this.#tree, 'model_info')),
      publicParams: masked(this.#paramsTree),
    };
  }

  #id(organization: string | null): string {
    const configured = this.#entry.model_info?.id;
    if (configured === undefined) return computedId(this.#entry.model_name ?? '', this.#paramsTree, organization);
    return Array.isArray(this.#params.organization) ? `${configured}-${organization ?? ''}` : configured;
  }

  #disabled(provider: Provider | null, upstream: ResolvedUpstream): DisabledReason | null {
    const reason = this.#unusable(provider, upstream);
    if (reason !== null) {
      this.#warn(reason);
      return { missingVariables: [], message: reason };
    }
    if (this.#params.mock_response !== undefined || upstream.missingVariables.length === 0) return null;
    const message = `missing ${upstream.missingVariables.join(', ')}`;
    this.#warn(`This deployment is out of use: ${message}.`);
    return { missingVariables: upstream.missingVariables, message };
  }

  /** Why the entry cannot be used whatever variables are set, or null. */
  #unusable(provider: Provider | null, upstream: ResolvedUpstream): string | null {
    const info = this.#entry.model_info ?? {};
    const place = variable(this.#context.environment, 'LITELLM_ENVIRONMENT');
    const environments: readonly string[] | undefined = info.supported_environments;
    if (environments !== undefined && (place === null || !environments.includes(place))) {
      return `only for ${environments.join(', ')}; LITELLM_ENVIRONMENT is ${place ?? 'unset'}`;
    }
    if (info.blocked === true) return 'blocked (model_info.blocked)';
    if (this.#unknownCredential !== null) return `credential_list has no credential named ${this.#unknownCredential}`;
    // A model that is unset is reported with the other unset variables.
    if (provider === null) return this.#params.model === undefined ? null : this.#unknownProvider();
    return this.#params.mock_response === undefined ? upstream.problem : null;
  }

  #groupName(): string {
    const { team_id: team, team_public_model_name: publicName } = this.#entry.model_info ?? {};
    if (team !== undefined && publicName !== undefined) return teamGroupName(team, publicName);
    return this.#entry.model_name ?? '';
  }

  #unknownProvider(): string {
    const model = this.#params.model ?? '';
    if (model === '*') {
      return 'the model * leaves the provider open, and no key of any provider is set; set one, or write openai/*';
    }
    const near = this.#context.providers.nearest(this.#params.custom_llm_provider ?? model);
    const question = near.length === 0 ? '' : ` (did you mean ${near.join(' or ')}?)`;
    return model.includes('/') || this.#params.custom_llm_provider !== undefined
      ? `no provider for ${withoutSecrets(model)}${question}`
      : `${withoutSecrets(model)} names no provider; write it as openai/${withoutSecrets(model)}`;
  }

  #warn(message: string): void {
    const path = [...this.#path, 'litellm_params'];
    this.#context.findings.add(
      'warning',
      this.#tree.at === NOWHERE ? NOWHERE : keyPlace(this.#tree, ['litellm_params', 'model']),
      path,
      message,
    );
  }

  #noteApiVersion(provider: Provider | null, upstream: UpstreamSettings): void {
    const names = provider?.defaults.apiVersionVariables ?? [];
    if (names.length === 0 || upstream.apiVersion !== null || /\/openai\/v1(\/|$)/.test(upstream.baseUrl ?? '')) return;
    this.#context.findings.add(
      'note',
      keyPlace(this.#tree, ['litellm_params', 'model']),
      [...this.#path, 'litellm_params', 'api_version'],
      `api_version is not set, nor is ${names[0]}; a built-in version is used.`,
      { hint: `api_version: os.environ/${names[0]}` },
    );
  }
}

const duration = (value: number | undefined): Millis | null => (value === undefined ? null : seconds(value));
