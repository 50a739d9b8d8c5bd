import type { Json } from '../../core/json.ts';
import type { Edit, JsonBody } from '../../wire/json-splice.ts';
import type { CallContext, Refusal } from '../provider.ts';
import { dropPath } from './drop-path.ts';
import type { Rules } from './rules.ts';

/** Edits by member, so that a later rule about the same member replaces an earlier one. */
export type Edits = Map<string, Edit>;

/** Values that say what OpenAI does anyway; LiteLLM counts them as not set. */
const DEFAULTS: Readonly<Record<string, Json>> = {
  n: 1,
  best_of: 1,
  echo: false,
  frequency_penalty: 0,
  presence_penalty: 0,
  temperature: 1,
  top_p: 1,
  logprobs: false,
  store: false,
  stream: false,
  parallel_tool_calls: true,
  encoding_format: 'float',
};

/**
 * Renames and leaves out what the host does not take, and what the operator said to leave out.
 *
 * `allowed_openai_params` wins over the host's lists, `additional_drop_params` over everything.
 *
 * @param edits filled in
 * @returns names left out, or a refusal in LiteLLM's words
 * @see specs/translation.md §0, "drop_params policy"
 */
export function planParameters(
  body: JsonBody,
  context: CallContext,
  rules: Rules,
  provider: string,
  edits: Edits,
): readonly string[] | Refusal {
  const dropped: string[] = [];
  const isAllowed = (name: string) => context.deployment.allowedParams.includes(name);
  for (const name of rules.advisory) {
    if (body.has(name) && !isAllowed(name)) leaveOut(body, name, edits, dropped);
  }
  // Refused by most without `tools`, and meaningless.
  if (rules.advisory.length > 0 && !body.has('tools') && body.has('parallel_tool_calls')) {
    leaveOut(body, 'parallel_tool_calls', edits, dropped);
  }
  const refused: string[] = [];
  for (const name of unsupportedNames(rules, context.model)) {
    if (!body.has(name) || isAllowed(name)) continue;
    if (context.dropParams || isUnset(body, name)) leaveOut(body, name, edits, dropped);
    else refused.push(name);
  }
  if (refused.length > 0) return refusal(refused, provider, context.model);
  renameParameters(body, rules, edits);
  dropAdditional(body, context, edits, dropped);
  return dropped;
}

function unsupportedNames(rules: Rules, model: string): readonly string[] {
  return rules.unsupported.flatMap(({ models, names }) => (models === null || models.test(model) ? names : []));
}

function leaveOut(body: JsonBody, name: string, edits: Edits, dropped: string[]): void {
  edits.set(name, { kind: 'remove', key: name });
  if (!isUnset(body, name) && !dropped.includes(name)) dropped.push(name);
}

function isUnset(body: JsonBody, name: string): boolean {
  const value = body.value(name);
  return value === null || (value !== undefined && value === DEFAULTS[name]);
}

function renameParameters(body: JsonBody, rules: Rules, edits: Edits): void {
  for (const [from, to] of Object.entries(rules.renames)) {
    if (!body.has(from) || edits.has(from)) continue;
    edits.set(from, body.has(to) ? { kind: 'remove', key: from } : { kind: 'rename', key: from, to });
  }
}

/** `additional_drop_params`: plain names, or paths such as `tools[*].function.strict`. */
function dropAdditional(body: JsonBody, context: CallContext, edits: Edits, dropped: string[]): void {
  for (const path of context.deployment.additionalDropParams) {
    const member = /^[^.[]+/.exec(path)?.[0];
    if (member === undefined || !body.has(member)) continue;
    if (member === path) {
      edits.set(member, { kind: 'remove', key: member });
      if (!dropped.includes(member)) dropped.push(member);
      continue;
    }
    const before = currentValue(body, member, edits);
    const after = before === undefined ? undefined : dropPath(before, path.slice(member.length));
    if (after === undefined || after === before) continue;
    edits.set(member, { kind: 'set', key: member, raw: JSON.stringify(after) });
    dropped.push(path);
  }
}

function currentValue(body: JsonBody, member: string, edits: Edits): Json | undefined {
  const edit = edits.get(member);
  if (edit === undefined) return body.value(member);
  return edit.kind === 'set' ? (JSON.parse(edit.raw.toString()) as Json) : undefined;
}

function refusal(names: readonly string[], provider: string, model: string): Refusal {
  const list = `[${names.map((name) => `'${name}'`).join(', ')}]`;
  return {
    kind: 'refused',
    reason: 'unsupported-parameters',
    message:
      `${provider} does not support parameters: ${list}, for model=${model}. To drop these, set ` +
      'litellm.drop_params=True or for proxy: litellm_settings: drop_params: true. To send them nevertheless, ' +
      `set allowed_openai_params: ${list}.`,
    param: names[0] ?? null,
  };
}
