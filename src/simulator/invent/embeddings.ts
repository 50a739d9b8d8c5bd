import type { Json, JsonObject } from '../../core/json.ts';
import { numberMember } from '../../core/json.ts';
import { tokensOf } from './prose.ts';
import { hash, randomFrom } from './seed.ts';

const DIMENSIONS: Readonly<Record<string, number>> = { 'text-embedding-3-large': 3072 };
const MAX_DIMENSIONS = 4096;

/**
 * An embeddings answer; the same input has the same vector, whatever stands beside it.
 *
 * Vectors have length 1. Base64 is little-endian float32, as OpenAI sends it.
 */
export function embeddings(body: JsonObject, model: string, seed: number): JsonObject {
  const inputs = inputsOf(body.input);
  const size = Math.min(MAX_DIMENSIONS, numberMember(body, 'dimensions') ?? DIMENSIONS[model] ?? 1536);
  const tokens = inputs.reduce<number>((sum, input) => sum + inputTokens(input), 0);
  return {
    object: 'list',
    data: inputs.map((input, index) => {
      const vector = unitVector(hash(JSON.stringify(input)) ^ seed, size);
      return {
        object: 'embedding',
        index,
        embedding: body.encoding_format === 'base64' ? base64(vector) : [...vector],
      };
    }),
    model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** The items of `input`: one string or token list counts as one item. */
export function inputsOf(input: Json | undefined): readonly Json[] {
  if (!Array.isArray(input)) return [input ?? ''];
  return typeof input[0] === 'number' ? [input] : input;
}

function inputTokens(input: Json): number {
  return Array.isArray(input) ? input.length : tokensOf(String(input));
}

function unitVector(seed: number, size: number): Float32Array {
  const random = randomFrom(seed);
  const raw = Array.from({ length: size }, () => random() * 2 - 1);
  const length = Math.hypot(...raw) || 1;
  return Float32Array.from(raw, (value) => value / length);
}

function base64(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(vector.length * 4));
  vector.forEach((value, index) => {
    view.setFloat32(index * 4, value, true);
  });
  return Buffer.from(view.buffer).toString('base64');
}
