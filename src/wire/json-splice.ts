import type { Json, JsonObject } from '../core/json.ts';

/** One change to a top-level member. `raw` is JSON text. */
export type Edit =
  | { readonly kind: 'set'; readonly key: string; readonly raw: string | Uint8Array }
  | { readonly kind: 'remove'; readonly key: string }
  | { readonly kind: 'rename'; readonly key: string; readonly to: string };

/** Where and why bytes are not a JSON object. */
export interface JsonFault {
  readonly kind: 'fault';
  /** Offset in bytes. */
  readonly offset: number;
  readonly message: string;
}

/** A JSON object as the client's bytes, with its top-level members found but not parsed. */
export interface JsonBody {
  readonly kind: 'body';
  readonly bytes: Uint8Array;
  has(key: string): boolean;
  keys(): readonly string[];
  /** The member parsed, or undefined when absent. Throws SyntaxError when the member's own text is not JSON. */
  value(key: string): Json | undefined;
  /** The member's own bytes, or undefined when absent. */
  raw(key: string): Uint8Array | undefined;
  /** The whole object parsed once and kept. Throws SyntaxError when it is not JSON. */
  json(): JsonObject;
  /** The bytes with the edits made and everything else untouched; the same bytes when there are none. */
  splice(edits: readonly Edit[]): Uint8Array;
}
