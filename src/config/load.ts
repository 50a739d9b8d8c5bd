import { createHash } from 'node:crypto';
import { nearest } from '../core/nearest.ts';
import type { Deployment, Snapshot } from '../core/snapshot.ts';
import { nearestProviders, PROVIDERS, providerFor } from '../providers/registry.ts';
import { compileBilling } from './billing.ts';
import { checkKeys } from './check-keys.ts';
import { withDemo } from './demo.ts';
import { compileDeployments, type DeploymentContext, type ProviderLookup } from './deployments.ts';
import { type Environment, resolveMap, withFileVariables } from './environment.ts';
import { type Finding, Findings, foundText } from './findings.ts';
import { checkNames, compileGroups } from './groups.ts';
import { withIncludes } from './include.ts';
import { type ConfigFile, fileSchema, root } from './keys/root.ts';
import { parseYaml } from './parse.ts';
import type { ReportRow } from './report-row.ts';
import { compileRouting } from './routing.ts';
import { isLiteralSecret } from './secret-names.ts';
import { compileServer } from './server.ts';
import { canonicalSpelling } from './spellings.ts';
import { compileStored, type StoredLayer, type StoredModel, storedProblem, withStoredCredentials } from './stored.ts';
import { rowAt } from './table.ts';
import { compileTelemetry } from './telemetry.ts';
import { EMPTY_MAP, isUnset, keyPlace, locate, type MapTree, NOWHERE, type Path, plain, scalars } from './tree.ts';

export interface LoadOptions {
  /** The file; null for the built-in empty configuration. */
  readonly path: string | null;
  /** The file's text, when it is known already; else it is read. */
  readonly text?: string;
  /** Throws when a file cannot be read. */
  readonly readFile: (path: string) => string;
  readonly env: Environment;
  /** Unknown keys and odd spellings are errors. */
  readonly strict: boolean;
  /** Where the simulator serves the model `demo`, or null for no such model. */
  readonly demo: { readonly baseUrl: string } | null;
  /** What the database keeps; it counts only where the configuration says `store_model_in_db`. */
  readonly stored?: StoredLayer | null;
}

export interface Loaded {
  readonly kind: 'loaded';
  readonly snapshot: Omit<Snapshot, 'version'>;
  /** SHA-256 over the files alone, hex. */
  readonly filesFingerprint: string;
  readonly findings: readonly Finding[];
  readonly report: readonly ReportRow[];
  /** Every file that was read, the main one first. */
  readonly files: readonly string[];
}

export interface Invalid {
  readonly kind: 'invalid';
  readonly findings: readonly Finding[];
  /** Every file that was named, as far as reading got: a change of any of them is worth another try. */
  readonly files: readonly string[];
}

/**
 * Reads a configuration file whole: a snapshot, or every reason why there is none.
 *
 * Never throws, whatever the text; never writes to `env`. Unusable deployments are disabled, everything else that is
 * wrong makes the file invalid.
 */
export function loadConfig(options: LoadOptions): Loaded | Invalid {
  const findings = new Findings(options.strict);
  const sources = readSources(options, findings);
  if (sources.tree === null) return { kind: 'invalid', findings: findings.all, files: sources.files };

  const environment = withFileVariables(sources.tree, options.env, findings);
  const spelled = canonicalSpelling(resolveMap(sources.tree, environment), findings);
  const report = [...spelled.rows, ...checkKeys(spelled.tree, spelled.rewritten, findings)];
  checkRequired(spelled.tree, findings);
  checkSecrets(spelled.tree, findings);
  checkUnset(spelled.tree, findings);
  const file = validate(spelled.tree, findings);
  if (file === null) return { kind: 'invalid', findings: sorted(findings), files: sources.files };

  const context = { environment, findings, providers: PROVIDER_LOOKUP };
  const server = compileServer(file, environment, findings);
  const stored = server.storesModels ? (options.stored ?? null) : null;
  const deployments = withDemo(compileLayers(file, spelled.tree, stored, context), options.demo);
  const names = compileGroups(deployments, file);
  checkNames(names, spelled.tree, findings);
  const { contextUsesOrdinaryChain } = spelled;
  const routing = compileRouting(file, deployments, { environment, findings, contextUsesOrdinaryChain });
  const telemetry = compileTelemetry({ file, tree: spelled.tree, environment, findings });
  if (findings.hasErrors) return { kind: 'invalid', findings: sorted(findings), files: sources.files };
  const files = fingerprint(sources.texts);
  return {
    kind: 'loaded',
    snapshot: {
      fingerprint: stored === null ? files : fingerprint([files, stored.fingerprint]),
      ...names,
      routing,
      server,
      billing: compileBilling(file),
      telemetry,
    },
    filesFingerprint: files,
    findings: sorted(findings),
    report,
    files: sources.files,
  };
}

/**
 * Why a deployment could not be used on this configuration if the database kept it, or null: its own shape, an unknown
 * provider, a credential that is not there. Variables that are unset are no reason: they may be set later.
 */
export function checkStored(model: StoredModel, options: LoadOptions): string | null {
  const findings = new Findings(false);
  const { tree } = readSources(options, findings);
  const environment = withFileVariables(tree ?? EMPTY_MAP, options.env, findings);
  const context = { environment, findings, providers: PROVIDER_LOOKUP };
  const resolved = canonicalSpelling(resolveMap(tree ?? EMPTY_MAP, environment), findings).tree;
  const stored = options.stored ?? null;
  return storedProblem(model, stored === null ? resolved : withStoredCredentials(resolved, stored, context), context);
}

/** The file's deployments, then the database's; credentials of either may be named by both. */
function compileLayers(
  file: ConfigFile,
  tree: MapTree,
  stored: StoredLayer | null,
  context: DeploymentContext,
): readonly Deployment[] {
  if (stored === null) return compileDeployments(file, tree, context);
  const merged = withStoredCredentials(tree, stored, context);
  const credentials = plain(locate(merged, ['credential_list']));
  const fromFile = compileDeployments(
    { ...file, credential_list: Array.isArray(credentials) ? credentials : undefined },
    merged,
    context,
  );
  return [...fromFile, ...compileStored(stored, merged, fromFile, context)];
}

const PROVIDER_LOOKUP: ProviderLookup = {
  find: providerFor,
  nearest: (model) => nearestProviders(model.split('/')[0] ?? model),
  all: () => [...PROVIDERS.values()],
};

interface Sources {
  readonly tree: MapTree | null;
  readonly files: readonly string[];
  readonly texts: readonly string[];
}

function readSources(options: LoadOptions, findings: Findings): Sources {
  if (options.path === null) {
    if (options.text === undefined) return { tree: EMPTY_MAP, files: [], texts: [] };
    return parseSources(options.text, '', options.readFile, findings);
  }
  try {
    return parseSources(options.text ?? options.readFile(options.path), options.path, options.readFile, findings);
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown reason';
    findings.add('error', { ...NOWHERE, file: options.path }, [], `The file cannot be read: ${reason}`);
    return { tree: null, files: [options.path], texts: [] };
  }
}

function parseSources(text: string, path: string, readFile: LoadOptions['readFile'], findings: Findings): Sources {
  const files = path === '' ? [] : [path];
  const own = parseYaml(text, path, findings);
  if (own === null) return { tree: null, files, texts: [text] };
  const included = withIncludes(own, path, readFile, findings);
  const tree = findings.hasErrors ? null : included.tree;
  return { tree, files: [...files, ...included.files], texts: [text, ...included.texts] };
}

/** Hex SHA-256 over the texts, each with its length so that moving a line between files counts. */
function fingerprint(texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text.length}:`).update(text);
  return hash.digest('hex');
}

function validate(tree: MapTree, findings: Findings): ConfigFile | null {
  const parsed = fileSchema.safeParse(plain(tree));
  if (parsed.success) return findings.hasErrors ? null : parsed.data;
  for (const issue of parsed.error.issues) {
    const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
    reportIssue(tree, path, issue.message, 'values' in issue ? issue.values : [], findings);
  }
  return null;
}

function reportIssue(tree: MapTree, path: Path, expected: string, words: readonly unknown[], findings: Findings): void {
  const value = locate(tree, path);
  const found = foundText(value, path);
  const [near] =
    value.kind === 'scalar' && typeof value.value === 'string' ? nearest(value.value, words.map(String), 1) : [];
  const note = rowAt(root, path)?.note;
  const hint = near !== undefined ? `${String(path.at(-1))}: ${near}` : note;
  findings.add(
    'error',
    value.at,
    path,
    `${String(path.at(-1) ?? 'The file')} is ${found}, but must be ${expected}${near === undefined ? '' : `; did you mean ${near}?`}`,
    {
      found,
      expected,
      ...(hint === undefined ? {} : { hint }),
    },
  );
}

function checkRequired(tree: MapTree, findings: Findings): void {
  const entries = locate(tree, ['model_list']);
  if (entries.kind !== 'list') return;
  for (const [index, entry] of entries.items.entries()) {
    if (entry.kind !== 'map') continue;
    const path = ['model_list', index];
    requireMember(entry, path, 'model_name', 'model_name: gpt-4o', findings);
    const params = entry.entries.get('litellm_params')?.value;
    if (params === undefined || (params.kind === 'scalar' && params.value === null)) {
      requireMember(entry, path, 'litellm_params', 'litellm_params:\n  model: openai/gpt-4o', findings);
    } else if (params.kind === 'map')
      requireMember(params, [...path, 'litellm_params'], 'model', 'model: openai/gpt-4o', findings);
  }
}

function requireMember(map: MapTree, path: Path, key: string, hint: string, findings: Findings): void {
  const value = map.entries.get(key)?.value;
  if (value !== undefined && (value.kind !== 'scalar' || value.value !== null)) return;
  const at = value?.at ?? map.at;
  const name = value?.kind === 'scalar' ? value.reference : null;
  // With the upstream model unset the deployment is disabled; without a public name there is nothing to list as disabled.
  if (name !== null && key === 'model') return;
  findings.add(
    'error',
    at,
    [...path, key],
    name === null ? `${key} is missing.` : `${key} is missing: ${name} is unset.`,
    { expected: `a ${key}`, hint },
  );
}

/** B4: a credential in the file is a warning that never repeats it. */
function checkSecrets(tree: MapTree, findings: Findings): void {
  for (const { path, scalar } of scalars(tree)) {
    const key = String(path.findLast((part) => typeof part === 'string') ?? '');
    if (typeof scalar.value !== 'string' || scalar.reference !== null || !isLiteralSecret(key, scalar.value)) continue;
    findings.add(
      'warning',
      scalar.at,
      path,
      `${key} holds a credential in clear text; files are copied, logged and committed.`,
      {
        found: `text of ${scalar.value.length} characters`,
        expected: 'a reference to an environment variable',
        hint: `${key}: os.environ/${key.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`,
      },
    );
  }
}

/** Unset variables outside the deployments, which report their own. */
function checkUnset(tree: MapTree, findings: Findings): void {
  for (const { path, scalar } of scalars(tree)) {
    if (!isUnset(scalar) || scalar.reference === null) continue;
    const isDeployments = path[0] === 'model_list' && path[2] === 'litellm_params';
    if (isDeployments || path[0] === 'environment_variables' || path[0] === 'credential_list') continue;
    // Whatever has no effect anyway needs no variable.
    if (rowAt(root, path)?.fate === 'ignored') continue;
    findings.add('warning', keyPlace(tree, path), path, `${scalar.reference} is unset, so this counts as not given.`, {
      found: scalar.reference,
    });
  }
}

/** Errors first, then in the order of the files. */
function sorted(findings: Findings): readonly Finding[] {
  const rank = { error: 0, warning: 1, note: 2 };
  return findings.all
    .map((finding, index) => ({ finding, index }))
    .sort(
      (a, b) =>
        rank[a.finding.severity] - rank[b.finding.severity] || a.finding.line - b.finding.line || a.index - b.index,
    )
    .map(({ finding }) => finding);
}
