import { isObject, type Json } from '../core/json.ts';
import { type Answer, jsonAnswer } from './answer.ts';
import {
  type Call,
  failureAnswer,
  failureInside,
  type InventOptions,
  invent,
  modelOf,
  requestIdOf,
} from './answering.ts';
import { findRecording, type Recording } from './corpus.ts';
import { type DemoOrder, demoOrder } from './demo.ts';
import { credentialOf, type Target, targetOf } from './dialect.ts';
import type { ErrorContext } from './failure.ts';
import { type Fault, FaultSyntax, parseFaults, type StatusFault, statusFault } from './fault.ts';
import { askOfOpenAi } from './invent/ask.ts';
import { randomFrom } from './invent/seed.ts';
import type { RawRequest } from './request-reader.ts';
import type { Matchable } from './rules.ts';
import { refusal } from './validate.ts';

/** What a request turned out to be, before anyone decided about faults. */
export interface Understood {
  readonly raw: RawRequest;
  readonly path: string;
  readonly query: string;
  readonly target: Target;
  readonly json: Json | undefined;
  readonly credential: string | null;
  /** The model asked for, a fault suffix taken off. */
  readonly model: string;
  /** Faults that the request itself asks for, by header or model suffix; null when it asks for none. */
  readonly ownFaults: readonly Fault[] | null;
  /** Why a fault asked for was not understood, or null. */
  readonly faultProblem: string | null;
}

/** Reads a request for what it wants. Never throws. */
export function understand(raw: RawRequest): Understood {
  const mark = raw.target.indexOf('?');
  const path = mark < 0 ? raw.target : raw.target.slice(0, mark);
  const query = mark < 0 ? '' : raw.target.slice(mark + 1);
  const target = targetOf(raw.method, path, query, raw.headers);
  const json = parseJson(raw.body);
  const asked = modelOf(json, target.kind === 'operation' ? target.name : null);
  const [model = '', suffix] = asked.split('~', 2);
  const header = raw.headers.find(([name]) => name === 'x-simulate')?.[1];
  const own = ownFaults(header ?? suffix);
  const credential = credentialOf(target.dialect, raw.headers);
  return { raw, path, query, target, json, credential, model, ...own };
}

function ownFaults(text: string | undefined): Pick<Understood, 'ownFaults' | 'faultProblem'> {
  if (text === undefined) return { ownFaults: null, faultProblem: null };
  try {
    return { ownFaults: parseFaults(text), faultProblem: null };
  } catch (error) {
    if (!(error instanceof FaultSyntax)) throw error;
    return { ownFaults: null, faultProblem: error.message };
  }
}

function parseJson(body: Buffer): Json | undefined {
  try {
    return JSON.parse(body.toString('utf8')) as Json;
  } catch {
    return undefined;
  }
}

/** What rules look at in a request. */
export function matchable(understood: Understood): Matchable {
  const { path, model, credential, target } = understood;
  return { path, model, key: credential, dialect: target.dialect, stream: wantsStream(understood) };
}

/** What answers depend on beside the request. */
export interface AnswerContext {
  readonly options: InventOptions;
  readonly corpus: readonly Recording[];
  /** Credentials that are good, or null when any is. */
  readonly keys: readonly string[] | null;
  /** How many requests came before. */
  readonly turn: number;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

/** An answer with all the faults that apply to it, the demo model's own included. */
export interface Decided {
  readonly answer: Answer;
  readonly faults: readonly Fault[];
  readonly failure: (fault: Extract<Fault, { kind: 'error-event' }>) => ReturnType<typeof failureInside>;
}

/**
 * Decides what to answer: a fault's status first, then the credential, then a recording, then what the provider would
 * refuse, and an invention at last.
 */
export function decide(understood: Understood, faults: readonly Fault[], context: AnswerContext): Decided {
  const { target, faultProblem } = understood;
  const errors = errorContext(understood, context);
  const order = demoOrderOf(understood, context);
  const all = faults.length > 0 ? faults : order.faults;
  const failure: Decided['failure'] = (fault) => failureInside(target.dialect, fault.error, errors);
  if (faultProblem !== null) {
    return { answer: jsonAnswer(400, [], { error: { message: `x-simulate: ${faultProblem}` } }), faults: [], failure };
  }
  const fail = (fault: StatusFault): Decided => ({
    answer: failureAnswer(target.dialect, fault, errors),
    faults: all,
    failure,
  });
  const status = all.find((fault) => fault.kind === 'status');
  if (status !== undefined) return fail(status);
  const recording = recordingFor(understood, context);
  const refused = badCredential(understood, recording, context) ?? (recording ? null : refusedRequest(understood));
  if (refused !== null) return fail(refused);
  const answer = recording?.answer ?? invent(callOf(understood, errors.requestId), context.options, order);
  return { answer, faults: all, failure };
}

function demoOrderOf(understood: Understood, context: AnswerContext): DemoOrder {
  const { json, model } = understood;
  if (!context.options.demo || !isObject(json)) return { faults: [], wantsTool: false };
  return demoOrder({ ...askOfOpenAi(json), model });
}

/** The recording to replay: the one the model names (`openai/chat-basic`), else one that fits the request. */
function recordingFor(understood: Understood, context: AnswerContext): Recording | null {
  const { corpus, turn } = context;
  const { model, path, raw } = understood;
  const named = corpus.find((recording) => recording.name === model);
  return named ?? findRecording(corpus, { method: raw.method, path, model, stream: wantsStream(understood), turn });
}

function badCredential(
  understood: Understood,
  recording: Recording | null,
  context: AnswerContext,
): StatusFault | null {
  const { target, credential } = understood;
  // How a provider that is only known from recordings takes its credential is not known here.
  if (target.kind === 'not-found' && recording !== null) return null;
  if (credential === null) return statusFault('missing-key');
  return context.keys !== null && !context.keys.includes(credential) ? statusFault('invalid-key') : null;
}

function refusedRequest({ target, json, raw }: Understood): StatusFault | null {
  if (target.kind === 'operation') return refusal(target.dialect, target.operation, json, raw.headers);
  const message = target.dialect === 'openai' ? `Invalid URL (${raw.method} ${raw.target})` : null;
  return statusFault('unknown-path', { message });
}

function callOf(understood: Understood, requestId: string): Call {
  const { target, json, model } = understood;
  if (target.kind === 'not-found') throw new Error('an unknown path was answered as if it were known');
  const { dialect, operation, name } = target;
  return { dialect, operation, name, model, body: isObject(json) ? json : {}, requestId };
}

function wantsStream({ json }: Understood): boolean {
  return isObject(json) && json.stream === true;
}

function errorContext(understood: Understood, context: AnswerContext): ErrorContext {
  const { model, credential, target } = understood;
  const requestId = requestIdOf(target.dialect, randomFrom(context.options.seed + context.turn * 7919));
  return { model, credential, requestId, now: context.now, status: null, message: null, param: null, retryAfter: null };
}
