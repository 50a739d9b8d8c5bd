import type { JsonObject } from '../../core/json.ts';
import type { TextBlock, Turn } from '../../wire/anthropic/messages.ts';
import type { AnswerHints, CallContext, ClientCall, Refusal, UpstreamRequest } from '../provider.ts';
import { excessBreakpoints } from './cache-control.ts';
import { checkSupport, clientParameters, passedThrough } from './client-parameters.ts';
import { hasCredential, requestHeaders } from './headers.ts';
import { readHistory } from './history.ts';
import { type ModelTraits, modelTraits } from './models.ts';
import { type Notes, newNotes } from './notes.ts';
import { endUser, outputConfig, serviceTier, stopSequences } from './parameters.ts';
import { RefusedRequest, refuseUnsupported } from './refusal.ts';
import { hasToolBlocks, lastToolTurnLacksThinking, repairTurns } from './repair.ts';
import { type JsonMode, jsonMode } from './response-format.ts';
import { sampling } from './sampling.ts';
import { planThinking, thinks } from './thinking.ts';
import { toolChoice } from './tool-choice.ts';
import { DUMMY_TOOL, type Toolbox, toolbox, usesLegacyFunctions } from './tools.ts';

const DEFAULT_BASE = 'https://api.anthropic.com';

/** The client's bytes were looked at from the outside only; their inside may still be unusable. */
const NOT_JSON: Refusal = {
  kind: 'refused',
  reason: 'invalid-parameter',
  message: 'The request body is not JSON.',
  param: null,
};

/**
 * Translates a chat request to Anthropic's Messages API (specs/translation.md §1).
 *
 * @returns the request, or why it cannot be put to this API; never throws on what a client can send
 */
export function buildRequest(call: ClientCall, context: CallContext): UpstreamRequest | Refusal {
  if (context.deployment.upstream.baseUrl === null && !hasCredential(context)) {
    return {
      kind: 'refused',
      reason: 'misconfigured',
      message: 'No key for Anthropic: set ANTHROPIC_API_KEY, or api_key in litellm_params.',
      param: null,
    };
  }
  try {
    return translate(call, context);
  } catch (error) {
    if (error instanceof RefusedRequest) return error.refusal;
    if (error instanceof SyntaxError) return NOT_JSON;
    throw error;
  }
}

function translate(call: ClientCall, context: CallContext): UpstreamRequest {
  const notes = newNotes();
  const traits = modelTraits(context.model);
  const parameters = clientParameters(call, context, notes);
  checkSupport(parameters, traits, context, notes);
  notes.breakpointsToSkip = excessBreakpoints(parameters);
  const { body, json } = messagesBody(parameters, traits, context, notes);
  const answer = answerHints(parameters, json, notes);
  return {
    kind: 'request',
    method: 'POST',
    url: messagesUrl(context.deployment.upstream.baseUrl),
    headers: requestHeaders(context, notes.betas),
    body: [new TextEncoder().encode(JSON.stringify(body))],
    dropped: [...notes.dropped],
    ...(answer === null ? {} : { answer }),
  };
}

function messagesBody(
  parameters: JsonObject,
  traits: ModelTraits,
  context: CallContext,
  notes: Notes,
): { readonly body: object; readonly json: JsonMode } {
  const history = readHistory(parameters.messages, { notes, dropParams: context.dropParams });
  const turns = repairTurns(history.turns, { modifyParams: context.modifyParams, prefill: traits.prefill });
  const declared = toolbox(parameters, traits, notes);
  const json = jsonMode(parameters, traits, new Set(declared.tools.map((tool) => String(tool.name))));
  const box = json.kind === 'tool' ? declared : withDummy(declared, turns, context);
  const plan = planThinking(parameters, thinkingSetting(traits, turns, context), notes);
  const jsonTool = json.kind === 'tool' ? json.jsonTool : null;
  const thinksManually = plan.thinking?.type === 'enabled';
  const choice = toolChoice(parameters, { traits, toolCount: box.tools.length, jsonTool, thinksManually }, notes);
  const tools = json.kind === 'tool' ? [...box.tools, json.definition] : box.tools;
  const system = systemTexts(history.system, json);
  const body = {
    ...passedThrough(parameters, context),
    model: context.model,
    max_tokens: plan.maxTokens,
    ...(system.length === 0 ? {} : { system }),
    messages: turns,
    ...stopSequences(parameters.stop),
    ...sampling(parameters, traits, thinks(plan.thinking), notes),
    ...(tools.length === 0 ? {} : { tools }),
    ...(choice === null ? {} : { tool_choice: choice }),
    ...(box.mcpServers.length === 0 ? {} : { mcp_servers: box.mcpServers }),
    ...(plan.thinking === null ? {} : { thinking: plan.thinking }),
    ...outputConfig(parameters, plan.effort, json.kind === 'native' ? json.format : null),
    ...serviceTier(parameters.service_tier, notes),
    ...endUser(parameters, notes),
    ...(context.isStreaming ? { stream: true } : {}),
  };
  return { body, json };
}

function thinkingSetting(traits: ModelTraits, turns: readonly Turn[], context: CallContext) {
  return {
    traits,
    isStreaming: context.isStreaming,
    maxOutput: context.deployment.maxOutputTokens,
    modifyParams: context.modifyParams,
    historyLacksThinking: lastToolTurnLacksThinking(turns),
  };
}

/** A history with tool calls needs `tools`, which the API would else refuse with words that mislead. */
function withDummy(box: Toolbox, turns: readonly Turn[], context: CallContext): Toolbox {
  if (box.tools.length > 0 || box.mcpServers.length > 0 || !hasToolBlocks(turns)) return box;
  if (context.modifyParams) return { ...box, tools: [DUMMY_TOOL] };
  return refuseUnsupported(
    'Anthropic expects the `tools=` param to be passed in, when the messages hold tool calls. Pass `tools=` or set ' +
      '`litellm.modify_params = True` // `litellm_settings: modify_params: true` to add a dummy tool to the request.',
    'tools',
  );
}

function systemTexts(texts: readonly TextBlock[], json: JsonMode): readonly TextBlock[] {
  return json.kind === 'ask' ? [...texts, { type: 'text', text: json.instruction }] : texts;
}

function answerHints(parameters: JsonObject, json: JsonMode, notes: Notes): AnswerHints | null {
  const hints: AnswerHints = {
    jsonTool: json.kind === 'tool' ? json.jsonTool : null,
    toolNames: notes.toolNames,
    customTools: notes.customTools,
    legacyFunctions: usesLegacyFunctions(parameters),
  };
  const isEmpty =
    hints.jsonTool === null && hints.toolNames.size === 0 && hints.customTools.size === 0 && !hints.legacyFunctions;
  return isEmpty ? null : hints;
}

/** The base may hold the version, or the whole path, as both are in use. */
function messagesUrl(baseUrl: string | null): string {
  const base = (baseUrl ?? DEFAULT_BASE).replace(/\/+$/, '');
  if (base.endsWith('/v1/messages')) return base;
  return base.endsWith('/v1') ? `${base}/messages` : `${base}/v1/messages`;
}
