import { stringMember } from '../core/json.ts';
import type { Deployment, Snapshot } from '../core/snapshot.ts';
import { mostTokens, type PromptText, promptTexts } from '../endpoints/prompt-text.ts';
import type { ClientCall } from '../providers/provider.ts';
import type { Leg } from '../router/leg.ts';
import { planRoute, type Route, type RouteError, type RouteRequest } from '../router/route.ts';
import type { InferProvider } from '../router/targets.ts';
import type { Lease, TokenCounter } from './ports.ts';

/** What a plan is made of. */
export interface PlanInput {
  readonly snapshot: Snapshot;
  /** Not counted yet: its `promptTokens` are null. */
  readonly request: RouteRequest;
  readonly call: ClientCall;
  readonly inferProvider: InferProvider;
}

interface SizedPrompt {
  readonly prompt: PromptText;
  /** Tokens that it cannot have more of. */
  readonly most: number;
}

/** A deployment's window, in tokens, and the model whose tokenizer fills it. */
interface Window {
  readonly model: string;
  readonly tokens: number;
}

/**
 * Plans one request, after counting its prompt when pre-call checks are on and a deployment may be too small (B14).
 *
 * Ordinary requests are planned once and count nothing: a token is at least a byte, so a body no longer than the
 * smallest known window fits everywhere. Without an answer from the counter the request goes on unchecked, and the
 * upstream's own refusal leads to the same chain.
 *
 * The router gets one number, the least that any deployment which could be too small might count: what fits is never
 * refused, while a deployment with a tokenizer of its own may still be tried in vain.
 */
export function planCounted(input: PlanInput, counter: TokenCounter): Route | RouteError | Promise<Route | RouteError> {
  const { snapshot, request, call, inferProvider } = input;
  const route = planRoute(snapshot, request, inferProvider);
  if (route.kind !== 'route' || !snapshot.routing.preCallChecks) return route;
  const windows = windowsOf(route.legs);
  const smallest = Math.min(...windows.map(({ tokens }) => tokens));
  // The smallest of no windows is infinite.
  if (call.body.bytes.length <= smallest) return route;
  const long = sized(call).filter(({ most }) => most > smallest);
  return long.length === 0 ? route : recount(input, route, long, windows, counter);
}

function sized({ dialect, body }: ClientCall): readonly SizedPrompt[] {
  return promptTexts(dialect, body).map((prompt) => ({ prompt, most: mostTokens(prompt) }));
}

async function recount(
  { snapshot, request, inferProvider }: PlanInput,
  route: Route,
  long: readonly SizedPrompt[],
  windows: readonly Window[],
  counter: TokenCounter,
): Promise<Route | RouteError> {
  const most = long.reduce((sum, each) => Math.max(sum, each.most), 0);
  const small = windows.filter(({ tokens }) => tokens < most);
  const models = [...new Set(small.map(({ model }) => model))];
  const enough = Math.max(...small.map(({ tokens }) => tokens));
  const prompts = long.map(({ prompt }) => prompt);
  const promptTokens = await counter.count(prompts, models, enough);
  return promptTokens === null ? route : planRoute(snapshot, { ...request, promptTokens }, inferProvider);
}

/** The known windows of a plan, special chains included. */
function windowsOf(legs: readonly Leg[]): readonly Window[] {
  return legs.flatMap(({ deployments, contextChain, contentChain }) => [
    ...deployments.flatMap((each) =>
      each.maxInputTokens === null ? [] : [{ model: tokenizedAs(each), tokens: each.maxInputTokens }],
    ),
    ...windowsOf(contextChain ?? []),
    ...windowsOf(contentChain ?? []),
  ]);
}

/** The model whose tokenizer counts: an Azure deployment's name may say nothing, its `base_model` does. */
export function tokenizedAs({ info, model }: Deployment): string {
  return stringMember(info, 'base_model') ?? model;
}

/**
 * The plan without the fallbacks that this caller may not use.
 *
 * What a client may not ask for it shall not get by another's failure either (LiteLLM does not look).
 */
export function withPermitted(route: Route | RouteError, lease: Pick<Lease, 'mayUse'>): Route | RouteError {
  if (route.kind !== 'route') return route;
  const isPermitted = ({ role, group }: Leg): boolean => role === 'primary' || lease.mayUse(group);
  const chains = route.legs.flatMap((leg) => [leg, ...(leg.contextChain ?? []), ...(leg.contentChain ?? [])]);
  if (chains.every(isPermitted)) return route;
  const only = (legs: readonly Leg[] | null) => legs?.filter(isPermitted) ?? null;
  const legs = route.legs
    .filter(isPermitted)
    .map((leg) => ({ ...leg, contextChain: only(leg.contextChain), contentChain: only(leg.contentChain) }));
  if (legs.length > 0) return { ...route, legs };
  return { kind: 'all-disabled', model: route.request.model, missingVariables: [] };
}
