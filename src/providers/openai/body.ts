import type { Json } from '../../core/json.ts';
import { type Edit, type JsonBody, scanObject } from '../../wire/json-splice.ts';
import type { CallContext, ClientCall, Refusal } from '../provider.ts';
import { type Edits, planParameters } from './parameters.ts';
import type { Rewrite, Rules } from './rules.ts';

/** The bytes for the upstream, and what was left out of them. */
export interface UpstreamBody {
  readonly kind: 'upstream-body';
  /** Pieces that follow one another. */
  readonly pieces: readonly Uint8Array[];
  readonly dropped: readonly string[];
}

/**
 * The client's bytes with the few members changed that must be, and everything else as the client wrote it.
 *
 * Unknown members, their order, white space and numbers beyond 2^53 survive; when nothing has to change these are the
 * very same bytes.
 *
 * @param provider LiteLLM's name of the provider, for messages
 */
export function upstreamBody(
  call: ClientCall,
  context: CallContext,
  rules: Rules,
  provider: string,
): UpstreamBody | Refusal {
  const { body } = call;
  const edits: Edits = new Map();
  try {
    rewriteMembers(body, context, rules.rewrites, edits);
    if (call.isStreaming) askForUsage(call, context, rules, edits);
    const dropped = planParameters(body, context, rules, provider, edits);
    if ('kind' in dropped) return dropped;
    setModel(body, context.model, rules.modelPrefix, edits);
    addExtraBody(body, context, edits);
    return { kind: 'upstream-body', pieces: body.pieces([...edits.values()]), dropped };
  } catch (error) {
    // A member's own text is not JSON: only parsing finds that.
    if (!(error instanceof SyntaxError)) throw error;
    const message = `The request body is not valid JSON: ${error.message}`;
    return { kind: 'refused', reason: 'invalid-parameter', message, param: null };
  }
}

function setModel(body: JsonBody, name: string, prefix: string, edits: Edits): void {
  const model = name.includes('/') ? name : prefix + name;
  if (body.value('model') !== model) edits.set('model', set('model', JSON.stringify(model)));
}

/** `extra_body` and the like: what the operator adds where the client said nothing. */
function addExtraBody(body: JsonBody, context: CallContext, edits: Edits): void {
  const extra = Object.entries(context.deployment.upstream.extraBody);
  if (extra.length === 0) return;
  const renamed = [...edits.values()].map((edit) => (edit.kind === 'rename' ? edit.to : null));
  for (const [key, value] of extra) {
    if (value !== undefined && !body.has(key) && !renamed.includes(key))
      edits.set(key, set(key, JSON.stringify(value)));
  }
}

function rewriteMembers(body: JsonBody, context: CallContext, rewrites: readonly Rewrite[], edits: Edits): void {
  const values = new Map<string, { before: Json; after: Json }>();
  for (const rewrite of rewrites) {
    const raw = body.raw(rewrite.member);
    if (raw === undefined || !occurs(raw, rewrite.needles)) continue;
    let entry = values.get(rewrite.member);
    if (entry === undefined) {
      const before = body.value(rewrite.member) as Json; // present: `raw` is
      entry = { before, after: before };
      values.set(rewrite.member, entry);
    }
    entry.after = rewrite.apply(entry.after, context);
  }
  for (const [member, { before, after }] of values) {
    if (after !== before) edits.set(member, set(member, JSON.stringify(after)));
  }
}

function occurs(bytes: Uint8Array, needles: readonly string[]): boolean {
  if (needles.length === 0) return true;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return needles.some((needle) => buffer.includes(needle));
}

/**
 * `stream_options.include_usage`: the gateway counts tokens whether or not the client wants to.
 *
 * Merged into the client's own object; what is no object is left for the upstream to refuse.
 */
function askForUsage(call: ClientCall, context: CallContext, rules: Rules, edits: Edits): void {
  const key = 'stream_options';
  const { body } = call;
  if (call.dialect === 'openai-embeddings') return;
  if (rules.streamOptions === 'refuse') {
    if (body.has(key)) edits.set(key, { kind: 'remove', key });
    return;
  }
  if (!context.askUsage || context.deployment.additionalDropParams.includes(key)) return;
  const raw = body.raw(key);
  if (raw === undefined || body.value(key) === null) {
    edits.set(key, set(key, '{"include_usage":true}'));
    return;
  }
  const options = scanObject(raw);
  if (options.kind === 'fault' || options.value('include_usage') === true) return;
  edits.set(key, set(key, options.splice([set('include_usage', 'true')])));
}

function set(key: string, raw: string | Uint8Array): Edit {
  return { kind: 'set', key, raw };
}
