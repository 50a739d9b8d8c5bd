import { z } from 'zod';
import type { Json, JsonObject } from '../../core/json.ts';

/**
 * One field of a resource, defined once: what clients may send, and where it is kept.
 *
 * `column`: in a column, as `store` makes of it. `metadata`: in the row's `metadata`, as LiteLLM keeps it. `handled`: the
 * resource's own code knows. `ignored`: nowhere.
 */
export interface Field<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  readonly place:
    | {
        readonly kind: 'column';
        /** The column's name when it is not the field's. */
        readonly column: string | null;
        /** What the column holds when the field is sent as null. */
        readonly empty: Json;
        store(value: z.output<Schema>): unknown;
      }
    | { readonly kind: 'metadata' }
    | { readonly kind: 'handled' }
    | { readonly kind: 'ignored'; readonly why: string };
}

export type Fields = Readonly<Record<string, Field>>;

/** What a client sent of some fields: not there, null, or a value. */
export type SentOf<F extends Fields> = { readonly [K in keyof F]?: z.output<F[K]['schema']> | null | undefined };

type Shape<F extends Fields> = { -readonly [K in keyof F]: z.ZodOptional<z.ZodNullable<F[K]['schema']>> };

const same = (value: unknown): unknown => value;

/** A field kept in the column of its name. @param empty what null stands for: nothing, or an empty list, map or `false` */
export function column<Schema extends z.ZodType>(schema: Schema, empty: Json = null): Field<Schema> {
  return { schema, place: { kind: 'column', column: null, empty, store: same } };
}

/** A field kept in another column, or in another form. */
export function stored<Schema extends z.ZodType>(
  schema: Schema,
  name: string,
  store: (value: z.output<Schema>) => unknown,
): Field<Schema> {
  return { schema, place: { kind: 'column', column: name, empty: null, store } };
}

/** A field that LiteLLM keeps inside `metadata`. */
export const inMetadata = <Schema extends z.ZodType>(schema: Schema): Field<Schema> => ({
  schema,
  place: { kind: 'metadata' },
});

/** A field that the resource's own code makes something of. */
export const handled = <Schema extends z.ZodType>(schema: Schema): Field<Schema> => ({
  schema,
  place: { kind: 'handled' },
});

/** A field of LiteLLM's that has no effect here. */
export const ignored = (why: string): Field<z.ZodAny> => ({ schema: z.any(), place: { kind: 'ignored', why } });

/** The schema of a request that has these fields, none of them required. */
export function schemaOf<F extends Fields>(fields: F): z.ZodObject<Shape<F>> {
  const shape = Object.entries(fields).map(([name, { schema }]) => [name, schema.nullish()]);
  return z.object(Object.fromEntries(shape)) as unknown as z.ZodObject<Shape<F>>; // entries lose the names' types
}

/** Why fields have no effect, for a route's `ignored`. */
export function ignoredIn(fields: Fields): Readonly<Record<string, string>> {
  const reasons = Object.entries(fields).map(([name, { place }]) => [
    name,
    place.kind === 'ignored' ? place.why : null,
  ]);
  return Object.fromEntries(reasons.filter(([, why]) => why !== null));
}

type Values = Readonly<Record<string, unknown>>;

/** The columns that a request sets; null in it empties the column. */
export function columnsOf(fields: Fields, sent: Values): Values {
  const columns: Record<string, unknown> = {};
  for (const [name, { place }] of Object.entries(fields)) {
    const value = sent[name];
    if (value === undefined || place.kind !== 'column') continue;
    columns[place.column ?? name] = value === null ? place.empty : place.store(value);
  }
  return columns;
}

/**
 * The row's `metadata` as a request makes it: the one it sends, else the one before, with the fields that live there.
 *
 * @returns undefined when the request says nothing of it
 */
export function metadataOf(fields: Fields, sent: Values, before: JsonObject): JsonObject | undefined {
  const members = Object.entries(fields).filter(
    ([name, { place }]) => place.kind === 'metadata' && sent[name] !== undefined,
  );
  if (members.length === 0 && sent.metadata === undefined) return undefined;
  const base = sent.metadata === undefined ? before : ((sent.metadata ?? {}) as JsonObject); // its schema is a map
  const merged = { ...base, ...Object.fromEntries(members.map(([name]) => [name, sent[name]])) };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)) as JsonObject; // JSON in, JSON out
}

/** The fields of `metadata` beside it, as LiteLLM's answers to the making of a key have them. */
export function metadataFields(fields: Fields, metadata: JsonObject): JsonObject {
  const names = Object.entries(fields).flatMap(([name, { place }]) => (place.kind === 'metadata' ? [name] : []));
  return Object.fromEntries(names.flatMap((name) => (metadata[name] === undefined ? [] : [[name, metadata[name]]])));
}
