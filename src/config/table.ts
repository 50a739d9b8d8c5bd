import { z } from 'zod';

/**
 * The table of keys: what each configuration key is, and what becomes of it.
 *
 * One row drives the check of the file, the report of `tollgate check` and the JSON Schema for editors, so that they cannot disagree.
 */

/** What Tollgate makes of a key: as LiteLLM does, nearly so, or nothing. */
export type Fate = 'honoured' | 'approximated' | 'ignored';

export interface Row<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema;
  readonly fate: Fate;
  /** For people: what the key does, or why it does nothing or something else. */
  readonly note: string;
  /** The keys below this one, where they are known: of the map itself, of each item of the list, or of each value of the map. */
  readonly below: { readonly kind: 'map' | 'items' | 'values'; readonly section: Section } | null;
}

export type Section = Readonly<Record<string, Row>>;

/** A key that does what it does in LiteLLM. */
export const honoured = <Schema extends z.ZodType>(schema: Schema, note: string): Row<Schema> => ({
  schema,
  fate: 'honoured',
  note,
  below: null,
});

/** A key whose effect differs from LiteLLM's; the note says how. */
export const approximated = <Schema extends z.ZodType>(schema: Schema, note: string): Row<Schema> => ({
  schema,
  fate: 'approximated',
  note,
  below: null,
});

/** A key of LiteLLM's without effect here; the note says why. */
export const ignored = <Schema extends z.ZodType>(schema: Schema, note: string): Row<Schema> => ({
  schema,
  fate: 'ignored',
  note,
  below: null,
});

/** A key whose part of the gateway is not built yet. */
export const later = <Schema extends z.ZodType>(schema: Schema, what: string): Row<Schema> =>
  ignored(schema, `not yet honoured: ${what}`);

/** One schema for each section, so that the JSON Schema can refer to it instead of repeating it. */
const OBJECTS = new WeakMap<Section, z.ZodObject>();

type Shape<Keys extends Section> = { -readonly [Key in keyof Keys]: z.ZodOptional<Keys[Key]['schema']> };

/**
 * The schema of a map with the keys of a section; others are kept, since unknown keys are found by name (`check-keys.ts`).
 *
 * @param required keys that editors ask for; `load.ts` checks them, because an unset variable is a reason of its own
 */
export function objectOf<Keys extends Section>(
  section: Keys,
  required: readonly string[] = [],
): z.ZodObject<Shape<Keys>, z.core.$loose> {
  let object = OBJECTS.get(section);
  if (object === undefined) {
    const shape = Object.fromEntries(Object.entries(section).map(([key, row]) => [key, describeRow(row).optional()]));
    object = z.looseObject(shape, { error: 'a map' });
    OBJECTS.set(section, object);
  }
  // Object.entries loses the keys' types; the map above keeps every key and its schema.
  return (required.length === 0 ? object : object.meta({ required })) as unknown as z.ZodObject<
    Shape<Keys>,
    z.core.$loose
  >;
}

/** A map with known keys. */
export function mapRow<Keys extends Section>(
  section: Keys,
  row: { fate: Fate; note: string },
  required: readonly string[] = [],
) {
  return { ...row, schema: objectOf(section, required), below: { kind: 'map' as const, section } };
}

/** A list of maps with known keys. */
export function itemsRow<Keys extends Section>(
  section: Keys,
  row: { fate: Fate; note: string },
  required: readonly string[] = [],
) {
  return {
    ...row,
    schema: z.array(objectOf(section, required), { error: 'a list of maps' }),
    below: { kind: 'items' as const, section },
  };
}

/** A map of free names to maps with known keys. */
export function valuesRow<Keys extends Section>(section: Keys, row: { fate: Fate; note: string }) {
  return {
    ...row,
    schema: z.record(z.string(), objectOf(section), { error: 'a map of maps' }),
    below: { kind: 'values' as const, section },
  };
}

/** What an editor shows beside the key. */
function describeRow(row: Row): z.ZodType {
  return row.schema.describe(row.fate === 'honoured' ? row.note : `(${row.fate}) ${row.note}`);
}

/** The row that a path leads to, or null where the path leaves the table. */
export function rowAt(root: Section, path: readonly (string | number)[]): Row | null {
  let section: Section | null = root;
  let row: Row | null = null;
  for (let index = 0; index < path.length; index++) {
    row = section === null ? null : (own(section, String(path[index])) ?? null);
    if (row === null) return null;
    section = row.below?.section ?? null;
    if (row.below !== null && row.below.kind !== 'map') index++;
  }
  return row;
}

/** A section's row by name; `constructor` and its like are no keys. */
export function own(section: Section, key: string): Row | undefined {
  return Object.hasOwn(section, key) ? section[key] : undefined;
}
