import { NO_DEFAULT_BUDGETS } from '../../src/core/budget.ts';
import { deploymentId, type GroupName, groupName, providerId } from '../../src/core/ids.ts';
import type { Outcome, ProviderWords, RejectReason } from '../../src/core/outcome.ts';
import { NO_TERMS } from '../../src/core/price.ts';
import {
  type Deployment,
  type ModelGroup,
  NO_UPSTREAM_SETTINGS,
  NOTHING_SET,
  type RoutingSettings,
  type Snapshot,
  USUAL_METRICS,
  type WildcardGroup,
} from '../../src/core/snapshot.ts';
import { NO_TELEMETRY } from '../../src/core/telemetry-settings.ts';
import { type Millis, millis, seconds } from '../../src/core/units.ts';
import { NO_CONTROLS, type RouteRequest, type RoutingControls } from '../../src/router/route.ts';

/** What a test says of a deployment. */
export type DeploymentWords = Partial<Omit<Deployment, 'group'>> & { readonly group?: string };

/** A deployment named by its id, alone in the group of that name unless told otherwise. */
export function deploymentOf(id: string, { group, ...more }: DeploymentWords = {}): Deployment {
  return {
    ...NOTHING_SET,
    id: deploymentId(id),
    group: groupName(group ?? id),
    provider: providerId('openai'),
    model: `model-${id}`,
    configuredModel: `openai/model-${id}`,
    upstream: NO_UPSTREAM_SETTINGS,
    info: {},
    publicParams: {},
    ...more,
  };
}

/** The brief's settings with LiteLLM's back-off. */
export const SETTINGS: RoutingSettings = {
  strategy: 'simple-shuffle',
  latencyBuffer: 0,
  latencyWindow: seconds(3600),
  latencySamples: 10,
  numRetries: 3,
  retryCounts: {},
  groupRetryCounts: new Map(),
  backoff: { base: millis(500), factor: 2, max: seconds(8), jitter: millis(750) },
  fallbacks: new Map(),
  contextWindowFallbacks: null,
  contextUsesOrdinaryChain: false,
  contentPolicyFallbacks: null,
  defaultFallbacks: [],
  maxFallbacks: 5,
  fallbackOn: [],
  noFallbackOn: [],
  allowedFails: 3,
  allowedFailsPolicy: {},
  cooldown: seconds(5),
  cooldownsEnabled: true,
  preCallChecks: false,
  tagFiltering: false,
  tagMatch: 'any',
  timeout: seconds(30),
  streamTimeout: null,
  connectTimeout: seconds(10),
  totalTimeout: seconds(600),
  defaultMaxParallel: null,
};

/** A snapshot of these deployments; groups follow from their `group`, wildcards from stars in it. */
export function snapshotOf(
  deployments: readonly Deployment[],
  settings: Partial<RoutingSettings> = {},
  aliases: Readonly<Record<string, string>> = {},
): Snapshot {
  const groups = groupsOf(deployments);
  return {
    version: 1,
    fingerprint: '',
    groups: new Map(groups.filter(({ name }) => !name.includes('*')).map((group) => [group.name, group])),
    wildcards: groups.filter(({ name }) => name.includes('*')).map(wildcardOf),
    aliases: new Map(Object.entries(aliases).map(([name, to]) => [name, { target: groupName(to), isHidden: false }])),
    deployments: new Map(deployments.map((each) => [each.id, each])),
    routing: { ...SETTINGS, ...settings },
    server: {
      storesModels: false,
      masterKey: null,
      databaseUrl: null,
      failClosedBudgets: false,
      budgets: NO_DEFAULT_BUDGETS,
      newcomers: { keyDefaults: {}, keyBounds: {}, userDefaults: {}, teamDefaults: {} },
      keyHeader: null,
      dropParams: false,
      modifyParams: false,
      errorProfile: 'tollgate',
      streamUsage: 'hide',
      maxRequestBytes: 0,
      maxResponseBytes: 0,
      maxConcurrent: 1000,
      keepAlive: millis(0),
      corsOrigins: [],
      logLevel: 'info',
      forwardClientHeaders: false,
      allowClientCredentials: false,
      completionModel: null,
      embeddingModel: null,
      requireUser: false,
      metrics: USUAL_METRICS,
    },
    billing: NO_TERMS,
    telemetry: NO_TELEMETRY,
  };
}

function groupsOf(deployments: readonly Deployment[]): readonly ModelGroup[] {
  const names = new Set<GroupName>(deployments.map((each) => each.group));
  return [...names].map((name) => ({ name, deployments: deployments.filter((each) => each.group === name) }));
}

function wildcardOf(group: ModelGroup): WildcardGroup {
  const parts = group.name.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return { ...group, pattern: new RegExp(`^${parts.join('(.*)')}$`) };
}

/** What a test says of a request. */
export interface Ask {
  readonly model: string;
  readonly isStreaming?: boolean;
  readonly promptTokens?: number;
  readonly tags?: readonly string[];
  readonly controls?: Partial<RoutingControls>;
}

/** A request that arrived at `startedAt`. */
export function requestOf(ask: Ask | string, startedAt: Millis = millis(0)): RouteRequest {
  const { model, isStreaming, promptTokens, tags, controls } = typeof ask === 'string' ? { model: ask } : ask;
  return {
    model,
    isStreaming: isStreaming ?? false,
    promptTokens: promptTokens ?? null,
    tags: tags ?? [],
    controls: { ...NO_CONTROLS, ...controls },
    startedAt,
  };
}

/** How a scripted deployment answers: a status, a word, or a status with a Retry-After in seconds. */
export type Answer =
  | number
  | 'ok'
  | 'timeout'
  | 'out-of-time'
  | 'refused'
  | 'cut'
  | 'cut-after-commit'
  | 'context'
  | 'content'
  | 'gone'
  | { readonly status: number; readonly retryAfter?: number; readonly code?: string };

/** The outcome that an answer stands for. */
export function outcomeOf(answer: Answer): Outcome {
  switch (answer) {
    case 'ok':
      return { kind: 'success' };
    case 'timeout':
      return { kind: 'timeout', phase: 'first-byte', limit: seconds(30) };
    case 'out-of-time':
      return { kind: 'timeout', phase: 'total', limit: seconds(600) };
    case 'refused':
      return { kind: 'connect-failed', code: 'ECONNREFUSED' };
    case 'cut':
    case 'cut-after-commit':
      return { kind: 'broken-stream', committed: answer !== 'cut', detail: 'ended early' };
    case 'context':
      return { kind: 'rejected', reason: 'context-window', words: wordsOf(400, null) };
    case 'content':
      return { kind: 'rejected', reason: 'content-policy', words: wordsOf(400, null) };
    case 'gone':
      return { kind: 'client-gone' };
    default:
      return typeof answer === 'number' ? statusOutcome(answer, null, null) : withDetails(answer);
  }
}

function withDetails({ status, retryAfter, code }: Extract<Answer, object>): Outcome {
  return statusOutcome(status, retryAfter === undefined ? null : seconds(retryAfter), code ?? null);
}

function statusOutcome(status: number, retryAfter: Millis | null, code: string | null): Outcome {
  const words = wordsOf(status, code);
  if (status === 429) return { kind: 'rate-limited', retryAfter, words };
  if (status >= 500 || status === 408) return { kind: 'upstream-error', retryAfter, words };
  return { kind: 'rejected', reason: REASONS[status] ?? 'invalid-request', words };
}

const REASONS: Readonly<Record<number, RejectReason>> = {
  401: 'credential',
  402: 'payment',
  403: 'credential',
  404: 'not-found',
};

function wordsOf(status: number, code: string | null): ProviderWords {
  return { status, message: 'no', type: null, param: null, code };
}
