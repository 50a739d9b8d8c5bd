import { deploymentId, groupName, providerId } from '../core/ids.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { type Deployment, NO_UPSTREAM_SETTINGS, NOTHING_SET } from '../core/snapshot.ts';
import { compileDeployments, type DeploymentContext } from './deployments.ts';
import { resolveMap } from './environment.ts';
import { Findings } from './findings.ts';
import { fileSchema } from './keys/root.ts';
import { masked } from './request-extras.ts';
import { list, type MapTree, mapping, member, type Place, plain, scalar, type Tree } from './tree.ts';

/** A deployment that the database keeps, its texts decrypted. */
export interface StoredModel {
  readonly id: string;
  readonly name: string;
  readonly params: JsonObject;
  readonly info: JsonObject;
  /** Why it cannot be used whatever it says (it could not be decrypted), or null. */
  readonly problem: string | null;
}

/** A named credential that the database keeps. */
export interface StoredCredential {
  readonly name: string;
  readonly values: JsonObject;
}

/** The layer of the configuration that is kept in the database; the file is the other one. */
export interface StoredLayer {
  readonly models: readonly StoredModel[];
  readonly credentials: readonly StoredCredential[];
  /** Equal on every instance that has read the same rows. */
  readonly fingerprint: string;
}

/** What stands for the file in findings about rows. */
export const DATABASE: Place = { file: 'database', line: 0, column: 0, source: '' };

/** JSON as a tree of the configuration, with the database as its place. */
export function treeOf(value: Json | undefined): Tree {
  if (Array.isArray(value)) return list(DATABASE, value.map(treeOf));
  if (typeof value === 'object' && value !== null) return mapOf(value as JsonObject); // neither list nor null
  return scalar(DATABASE, (value ?? null) as string | number | boolean | null); // nothing else is left
}

const mapOf = (value: JsonObject): MapTree =>
  mapping(
    DATABASE,
    Object.entries(value).map(([key, each]) => [key, { at: DATABASE, value: treeOf(each) }] as const),
  );

/**
 * The file with the database's credentials, for deployments of either layer. A name that the file has stays the file's,
 * and a credential of the wrong shape is left out: who names it is disabled.
 */
export function withStoredCredentials(
  tree: MapTree,
  { credentials }: StoredLayer,
  context: DeploymentContext,
): MapTree {
  const own = member(tree, 'credential_list');
  const items = own?.kind === 'list' ? own.items : [];
  const taken = new Set(items.map((item) => nameOf(item)));
  const stored = credentials
    .filter(({ name }) => !taken.has(name))
    .map(({ name, values }) => mapOf({ credential_name: name, credential_values: values }))
    .filter((credential) => isCredential(credential, context));
  const entries = new Map(tree.entries);
  if (stored.length > 0)
    entries.set('credential_list', {
      at: own?.at ?? DATABASE,
      value: list(own?.at ?? DATABASE, [...items, ...stored.map((each) => resolveMap(each, context.environment))]),
    });
  return { ...tree, entries };
}

function nameOf(item: Tree): string | null {
  const name = member(item, 'credential_name');
  return name?.kind === 'scalar' ? String(name.value) : null;
}

function isCredential(credential: MapTree, { environment, findings }: DeploymentContext): boolean {
  const file = { credential_list: [plain(resolveMap(credential, environment))] };
  if (fileSchema.safeParse(file).success) return true;
  findings.add(
    'warning',
    DATABASE,
    [],
    `The credential ${nameOf(credential)} in the database has a wrong shape and is not used.`,
  );
  return false;
}

/**
 * The deployments of the database, by the compiler that reads the file, each for itself: a bad row is disabled with its
 * reason and takes nothing with it.
 *
 * @param tree the file with every credential; its deployments are `fromFile`, whose ids go first
 */
export function compileStored(
  { models }: StoredLayer,
  tree: MapTree,
  fromFile: readonly Deployment[],
  context: DeploymentContext,
): readonly Deployment[] {
  const taken = new Set<string>(fromFile.map(({ id }) => id));
  return models.flatMap((model) => {
    const compiled = compileRow(model, tree, context);
    const free = compiled.filter(({ id }) => !taken.has(id));
    if (free.length < compiled.length) {
      const message = `The model ${model.name} in the database has the id ${model.id}, which the file uses: it is left out.`;
      context.findings.add('warning', DATABASE, [], message);
    }
    for (const { id } of free) taken.add(id);
    return free;
  });
}

/** Why a row could not be used by anybody, or null: what is asked before it is stored. */
export function storedProblem(
  model: StoredModel,
  tree: MapTree,
  context: Omit<DeploymentContext, 'findings'>,
): string | null {
  // Out of use on purpose, here or for now: no reason not to keep it.
  const { blocked: _, supported_environments: __, ...info } = model.info;
  const result = compiledRow({ ...model, info }, tree, { ...context, findings: new Findings(false) });
  if (typeof result === 'string') return result;
  const [unusable] = result.flatMap(({ disabled }) => (disabled?.missingVariables.length === 0 ? [disabled] : []));
  return unusable?.message ?? null;
}

function compileRow(model: StoredModel, tree: MapTree, context: DeploymentContext): readonly Deployment[] {
  const result = model.problem ?? compiledRow(model, tree, context);
  if (typeof result !== 'string') return result.map((deployment) => ({ ...deployment, isStored: true }));
  context.findings.add(
    'warning',
    DATABASE,
    [],
    `The model ${model.name} (${model.id}) in the database is out of use: ${result}`,
  );
  return [disabledRow(model, result)];
}

/** The row's deployments, or why it has none. */
function compiledRow(model: StoredModel, tree: MapTree, context: DeploymentContext): readonly Deployment[] | string {
  if (typeof model.params.model !== 'string') return 'litellm_params.model is missing';
  const shared = ['credential_list', 'router_settings', 'litellm_settings'];
  const entries = [...tree.entries].filter(([key]) => shared.includes(key));
  const entry = resolveMap(entryOf(model), context.environment);
  const whole = mapping(DATABASE, [...entries, ['model_list', { at: DATABASE, value: list(DATABASE, [entry]) }]]);
  const parsed = fileSchema.safeParse(plain(whole));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `${issue?.path.slice(2).join('.')} must be ${issue?.message}`;
  }
  const findings = new Findings(false);
  const deployments = compileDeployments(parsed.data, whole, { ...context, findings });
  const error = findings.all.find(({ severity }) => severity === 'error');
  if (error !== undefined) return error.message;
  return deployments.length === 0 ? 'it names no deployment' : deployments;
}

const entryOf = ({ id, name, params, info }: StoredModel): MapTree =>
  mapOf({ model_name: name, litellm_params: params, model_info: { ...info, id } });

function disabledRow({ id, name }: StoredModel, message: string): Deployment {
  return {
    ...NOTHING_SET,
    id: deploymentId(id),
    group: groupName(name),
    provider: providerId(''),
    model: '',
    configuredModel: '',
    upstream: NO_UPSTREAM_SETTINGS,
    disabled: { missingVariables: [], message },
    isStored: true,
    info: { id },
    publicParams: {},
  };
}

/** JSON of the admin API as `/model/info` shows it: credentials replaced by `[redacted]`. */
export const maskedJson = (value: JsonObject): JsonObject => masked(mapOf(value));
