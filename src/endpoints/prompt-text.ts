import { isObject, type Json, type JsonObject } from '../core/json.ts';
import type { Dialect } from '../providers/provider.ts';
import type { JsonBody } from '../wire/json-splice.ts';
import { memberOf } from './check.ts';

/** What one context window has to hold of a request. */
export interface PromptText {
  readonly texts: readonly string[];
  /** Tokens that stand in no text: frames of messages, images, tokens sent as numbers. */
  readonly tokens: number;
}

/** OpenAI's frames: three tokens and the role for a message, three for the answer to begin (openai-cookbook, 2025). */
const TOKENS_PER_MESSAGE = 4;
const TOKENS_PER_CHAT = 3;
/** An image at OpenAI's detail `low`, the least that one costs; its base64 is no text. */
const TOKENS_PER_IMAGE = 85;

/** Depth of a JSON schema that is looked at. */
const MOST_DEPTH = 32;

/**
 * What counts of a request's prompt, one entry for each context window that it needs.
 *
 * A chat is one entry. Every prompt of a legacy completion and every input of an embedding meets the window alone, so
 * each is an entry of its own. What an upstream may drop or write shorter (reasoning, a schema's punctuation, audio,
 * files) is left out: the count must not be above the upstream's.
 *
 * @returns possibly nothing; never throws, whatever the shape
 */
export function promptTexts(dialect: Dialect, body: JsonBody): readonly PromptText[] {
  switch (dialect) {
    case 'openai-chat':
      return [chatText(body)];
    case 'openai-completions':
      return sequences(memberOf(body, 'prompt'));
    case 'openai-embeddings':
      return sequences(memberOf(body, 'input'));
  }
}

/**
 * Tokens that a prompt cannot have more of.
 *
 * A token of a byte-pair tokenizer is at least one byte of UTF-8.
 */
export function mostTokens({ texts, tokens }: PromptText): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), tokens);
}

function chatText(body: JsonBody): PromptText {
  const collector = new Collector();
  collector.tokens += TOKENS_PER_CHAT;
  for (const message of listOf(memberOf(body, 'messages'))) if (isObject(message)) collector.message(message);
  if (body.has('tools')) for (const tool of listOf(memberOf(body, 'tools'))) collector.schema(tool, 0);
  if (body.has('functions')) for (const tool of listOf(memberOf(body, 'functions'))) collector.schema(tool, 0);
  return collector;
}

/** A string, an array of strings, one array of tokens, or an array of such arrays. */
function sequences(value: Json | undefined): readonly PromptText[] {
  if (typeof value === 'string') return [{ texts: [value], tokens: 0 }];
  if (!Array.isArray(value)) return [];
  if (typeof value[0] === 'number') return [{ texts: [], tokens: value.length }];
  return value.flatMap((each: Json) => (typeof each === 'string' || Array.isArray(each) ? sequences(each) : []));
}

/** Gathers texts and fixed tokens. */
class Collector implements PromptText {
  readonly texts: string[] = [];
  tokens = 0;

  message(message: JsonObject): void {
    this.tokens += TOKENS_PER_MESSAGE;
    this.#text(message.name);
    this.#content(message.content, 0);
    this.#call(message.function_call);
    for (const call of listOf(message.tool_calls)) if (isObject(call)) this.#call(call.function);
  }

  /** Names and descriptions of a tool's JSON schema, at any depth; providers write the rest in their own way. */
  schema(value: Json | undefined, depth: number): void {
    if (depth > MOST_DEPTH) return;
    for (const each of listOf(value)) this.schema(each, depth + 1);
    if (!isObject(value)) return;
    this.#text(value.name);
    this.#text(value.description);
    for (const choice of listOf(value.enum)) this.#text(choice);
    if (isObject(value.properties)) for (const name of Object.keys(value.properties)) this.#text(name);
    for (const each of Object.values(value)) this.schema(each, depth + 1);
  }

  #content(content: Json | undefined, depth: number): void {
    this.#text(content);
    if (depth > MOST_DEPTH) return;
    for (const part of listOf(content)) if (isObject(part)) this.#part(part, depth);
  }

  #part(part: JsonObject, depth: number): void {
    if (part.type === 'image_url' || part.type === 'image') {
      this.tokens += TOKENS_PER_IMAGE;
      return;
    }
    this.#text(part.text);
    this.#text(part.refusal);
    // Anthropic's tool results nest their parts.
    this.#content(part.content, depth + 1);
  }

  #call(call: Json | undefined): void {
    if (!isObject(call)) return;
    this.#text(call.name);
    this.#text(call.arguments);
  }

  #text(value: Json | undefined): void {
    if (typeof value === 'string' && value !== '') this.texts.push(value);
  }
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}
