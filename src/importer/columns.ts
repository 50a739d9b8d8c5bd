import type { Json, JsonObject } from '../core/json.ts';
import type { NanoUsd } from '../core/units.ts';
import type { SourceRow } from './source.ts';
import { BadValue, booleanOf, integerOf, jsonOf, nanoOf, objectOf, timeOf, wordsOf } from './text-form.ts';

/** The columns of one row of LiteLLM's, by name and kind; one that is not there is like one that is NULL. */
export class Columns {
  readonly #row: SourceRow;

  constructor(row: SourceRow) {
    this.#row = row;
  }

  /** @throws BadValue when it is NULL or empty: nothing can be named by it */
  name(column: string): string {
    const value = this.#row[column] ?? '';
    if (value === '') throw new BadValue(`${column} is empty`);
    return value;
  }

  text(column: string): string | null {
    return this.#row[column] ?? null;
  }

  /** Text where LiteLLM writes `''` for nothing. */
  filled(column: string): string | null {
    const value = this.text(column);
    return value === '' ? null : value;
  }

  integer(column: string): number | null {
    return this.#read(column, integerOf);
  }

  flag(column: string): boolean {
    return this.#read(column, booleanOf) ?? false;
  }

  money(column: string): NanoUsd | null {
    return this.#read(column, nanoOf);
  }

  time(column: string): Date | null {
    return this.#read(column, timeOf);
  }

  words(column: string): readonly string[] {
    return this.#read(column, wordsOf) ?? [];
  }

  object(column: string): JsonObject {
    return this.#read(column, objectOf) ?? {};
  }

  json(column: string): Json {
    return this.#read(column, jsonOf);
  }

  #read<T>(column: string, read: (text: string) => T): T | null {
    const text = this.text(column);
    if (text === null) return null;
    try {
      return read(text);
    } catch (error) {
      if (error instanceof BadValue) throw new BadValue(`${column}: ${error.message}`);
      throw error;
    }
  }
}
