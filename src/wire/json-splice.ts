import type { Json, JsonObject } from '../core/json.ts';
import { type MemberTable, ScanError, Scanner } from './json-scan.ts';

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

/**
 * Finds the top-level members of a JSON object in one pass, without parsing their values.
 *
 * A leading byte order mark and white space around the object are allowed. A key that is there twice is a fault:
 * readers disagree on which of two `model` members counts, and what one of them checks another would run.
 *
 * About 2 µs for 1.3 KB and 30 µs for 100 KB on Bun 1.4.5.
 *
 * @returns a fault for anything that is no object; never throws. What is wrong inside a nested value may only show
 *   when that value is parsed.
 */
export function scanObject(bytes: Uint8Array): JsonBody | JsonFault {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return new ScannedBody(bytes, buffer, new Scanner(buffer).scan());
  } catch (error) {
    if (error instanceof ScanError) return { kind: 'fault', offset: error.offset, message: error.message };
    throw error;
  }
}

class ScannedBody implements JsonBody {
  readonly kind = 'body';
  readonly bytes: Uint8Array;
  readonly #buffer: Buffer;
  readonly #table: MemberTable;
  #json: JsonObject | null = null;

  constructor(bytes: Uint8Array, buffer: Buffer, table: MemberTable) {
    this.bytes = bytes;
    this.#buffer = buffer;
    this.#table = table;
  }

  has(key: string): boolean {
    return this.#table.indexOf(key) >= 0;
  }

  keys(): readonly string[] {
    return this.#table.names;
  }

  value(key: string): Json | undefined {
    const index = this.#table.indexOf(key);
    if (index < 0) return undefined;
    if (this.#json !== null) return this.#json[key];
    const table = this.#table;
    return JSON.parse(this.#buffer.toString('utf8', table.valueStart(index), table.valueEnd(index))) as Json;
  }

  raw(key: string): Uint8Array | undefined {
    const index = this.#table.indexOf(key);
    if (index < 0) return undefined;
    return this.#buffer.subarray(this.#table.valueStart(index), this.#table.valueEnd(index));
  }

  json(): JsonObject {
    this.#json ??= JSON.parse(this.#buffer.toString('utf8', this.#table.open, this.#table.close)) as JsonObject;
    return this.#json;
  }

  splice(edits: readonly Edit[]): Uint8Array {
    if (edits.length === 0) return this.bytes;
    const plan = new SplicePlan(this.#table);
    for (const edit of edits) plan.apply(edit);
    return plan.isEmpty ? this.bytes : plan.write(this.#buffer);
  }
}

/** A member as it will be written: where it came from, and what replaces its key or value. */
interface PlannedMember {
  /** Place in the table, or -1 when the member is new. */
  readonly index: number;
  key: Buffer | null;
  value: Uint8Array | null;
}

/** The members after the edits so far; edits apply one after another, as they would on the parsed object. */
class SplicePlan {
  readonly #table: MemberTable;
  readonly #members = new Map<string, PlannedMember>();
  isEmpty = true;

  constructor(table: MemberTable) {
    this.#table = table;
    for (const [index, name] of table.names.entries()) this.#members.set(name, { index, key: null, value: null });
  }

  apply(edit: Edit): void {
    switch (edit.kind) {
      case 'set':
        this.#set(edit.key, typeof edit.raw === 'string' ? Buffer.from(edit.raw) : edit.raw);
        return;
      case 'remove':
        if (this.#members.delete(edit.key)) this.isEmpty = false;
        return;
      case 'rename':
        this.#rename(edit.key, edit.to);
        return;
    }
  }

  #set(key: string, value: Uint8Array): void {
    const member = this.#members.get(key);
    if (member === undefined) this.#members.set(key, { index: -1, key: keyText(key), value });
    else member.value = value;
    this.isEmpty = false;
  }

  /** The member keeps its place; one that had the new name already goes. */
  #rename(key: string, to: string): void {
    const member = this.#members.get(key);
    if (member === undefined || key === to) return;
    this.#members.delete(key);
    member.key = keyText(to);
    this.#members.set(to, member);
    this.isEmpty = false;
  }

  /** Everything before the first member, the members with what stands between them, everything after the last. */
  write(bytes: Buffer): Uint8Array {
    const table = this.#table;
    const count = table.names.length;
    const parts: Uint8Array[] = [bytes.subarray(0, count === 0 ? table.open + 1 : table.keyStart(0))];
    // Renamed members stand at the end of the map; their place in the bytes counts. New ones come last.
    const members = [...this.#members.values()].sort((a, b) => place(a, count) - place(b, count));
    for (const [position, { index, key, value }] of members.entries()) {
      const isNew = index < 0;
      if (position > 0) parts.push(isNew ? COMMA : bytes.subarray(table.valueEnd(index - 1), table.keyStart(index)));
      parts.push(key ?? bytes.subarray(table.keyStart(index), table.keyEnd(index)));
      parts.push(isNew ? COLON : bytes.subarray(table.keyEnd(index), table.valueStart(index)));
      parts.push(value ?? bytes.subarray(table.valueStart(index), table.valueEnd(index)));
    }
    parts.push(bytes.subarray(count === 0 ? table.open + 1 : table.valueEnd(count - 1)));
    return Buffer.concat(parts);
  }
}

const COMMA = Buffer.from(',');
const COLON = Buffer.from(':');

const place = (member: PlannedMember, count: number) => (member.index < 0 ? count : member.index);
const keyText = (key: string) => Buffer.from(JSON.stringify(key));
