import { isObject, type JsonObject } from '../../core/json.ts';
import type { Failure } from '../../core/outcome.ts';
import { type EventFacts, inspectEvent } from '../../wire/openai/event.ts';
import type { SseEvent } from '../../wire/sse.ts';
import { classifyObject } from '../classify.ts';
import type { CallContext, StreamDecoder, StreamSink } from '../provider.ts';
import { clean } from '../words.ts';
import { ChoiceEnds, choicesOf, failedFinish, isErrorObject } from './chunk.ts';
import { finishEdits, hasToolCalls } from './finish.ts';
import type { AnswerRules } from './rules.ts';
import { usageFrom } from './usage.ts';

/**
 * Watches a stream in an OpenAI dialect that passes through.
 *
 * Invariants:
 * 1. an event goes on as it came, or not at all (usage that nobody asked for), or with its finish reason replaced;
 * 2. after `fail` or `complete` nothing is called any more, whatever else arrives;
 * 3. `complete` needs `[DONE]` after an answer, or the body's end after every choice had its finish reason (Perplexity,
 *    Cerebras and some Azure routes never send `[DONE]`: recorded 2025–2026).
 *
 * An ordinary delta is not parsed: its facts are read off the bytes, and only usage, ends, errors and chunks without
 * output, which are a handful in each stream, are looked at closer.
 */
export class OpenAiStream implements StreamDecoder {
  readonly #context: CallContext;
  readonly #answers: AnswerRules;
  readonly #ends = new ChoiceEnds();
  #isOver = false;
  #hasAnswer = false;
  #isMeaningful = false;
  #hadToolCalls = false;

  constructor(context: CallContext, answers: AnswerRules) {
    this.#context = context;
    this.#answers = answers;
  }

  push(event: SseEvent, sink: StreamSink): void {
    if (this.#isOver) return;
    const facts = inspectEvent(event);
    if (facts.isDone) this.#done(event, sink);
    else if (isPlainDelta(facts) && this.#answers.toolCallsFinish === 'right') this.#forward(event, facts, sink);
    else this.#look(event, facts, sink);
  }

  end(sink: StreamSink): void {
    if (this.#isOver) return;
    if (this.#ends.areComplete) this.#complete(sink);
    else this.#fail(broken('the stream ended before the answer was complete'), sink);
  }

  #done(event: SseEvent, sink: StreamSink): void {
    if (!this.#hasAnswer) {
      this.#fail(broken('the stream ended without an answer'), sink);
      return;
    }
    sink.forward(event);
    this.#complete(sink);
  }

  /** A chunk that may be more than output. */
  #look(event: SseEvent, facts: EventFacts, sink: StreamSink): void {
    const chunk = parse(event.data());
    if (chunk === null) {
      this.#fail(malformed(event, facts), sink);
      return;
    }
    const usage = usageFrom(chunk, this.#answers.reasoning);
    if (usage !== null) sink.usage(usage);
    const failure = failureIn(chunk, facts);
    if (failure !== null) {
      this.#fail(failure, sink);
      return;
    }
    if (choicesOf(chunk).length > 0) this.#hasAnswer = true;
    this.#hadToolCalls ||= hasToolCalls(chunk);
    if (facts.isUsageOnly && !this.#context.wantsUsage) return;
    const changed = finishEdits(ownBytes(event), chunk, this.#answers, this.#hadToolCalls);
    this.#forward(changed === null ? event : movedEvent(event, changed), facts, sink);
    this.#ends.ends(chunk);
  }

  #forward(event: SseEvent, facts: EventFacts, sink: StreamSink): void {
    sink.forward(event);
    if (!facts.isMeaningful) return;
    this.#hasAnswer = true;
    this.#ends.output();
    if (this.#isMeaningful) return;
    this.#isMeaningful = true;
    sink.meaningful();
  }

  #complete(sink: StreamSink): void {
    this.#isOver = true;
    sink.complete();
  }

  #fail(outcome: Failure, sink: StreamSink): void {
    this.#isOver = true;
    sink.fail(outcome);
  }
}

/** Output and nothing else. */
function isPlainDelta(facts: EventFacts): boolean {
  return facts.isMeaningful && !facts.hasFinish && !facts.hasUsage && !facts.hasError;
}

function failureIn(chunk: JsonObject, facts: EventFacts): Failure | null {
  if (facts.hasError || isErrorObject(chunk)) return classifyObject(chunk);
  const finish = failedFinish(chunk);
  return finish === null ? null : broken(`the provider ended the answer with finish_reason "${finish}"`);
}

/** `event: error` may carry plain text; anything else that is no JSON object makes no sense. */
function malformed(event: SseEvent, facts: EventFacts): Failure {
  const text = clean(event.data().slice(0, 200));
  return facts.hasError
    ? classifyObject({ error: text })
    : broken(`an event is no JSON object: ${JSON.stringify(text)}`);
}

function ownBytes(event: SseEvent): Buffer {
  return event.bytes.subarray(event.start, event.end);
}

/** The event with other bytes; only its payload has another length. */
function movedEvent(event: SseEvent, bytes: Buffer): SseEvent {
  const isOneLine = event.dataStart >= 0;
  const dataStart = isOneLine ? event.dataStart - event.start : -1;
  const dataEnd = isOneLine ? bytes.length - (event.end - event.dataEnd) : -1;
  const data = () => (isOneLine ? bytes.toString('utf8', dataStart, dataEnd) : event.data());
  return { bytes, start: 0, end: bytes.length, name: event.name, dataStart, dataEnd, data };
}

function parse(text: string): JsonObject | null {
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? json : null;
  } catch {
    return null;
  }
}

function broken(detail: string): Failure {
  return { kind: 'broken-stream', committed: false, detail };
}
