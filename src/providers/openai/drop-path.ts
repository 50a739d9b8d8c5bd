import { isObject, type Json, type JsonObject } from '../../core/json.ts';

/**
 * The value without what a path names: `.name`, `[3]` and `[*]` in any order, as `[*].function.strict`.
 *
 * @returns the very same value when the path names nothing in it; never throws
 */
export function dropPath(value: Json, path: string): Json {
  const steps = path.match(/\[(?:\*|\d+)\]|[^.[\]]+/g);
  return steps === null ? value : drop(value, steps);
}

function drop(value: Json, steps: readonly string[]): Json {
  const [step, ...rest] = steps;
  if (step === undefined) return value;
  if (step.startsWith('[')) return Array.isArray(value) ? dropInList(value, step, rest) : value;
  return isObject(value) ? dropInObject(value, step, rest) : value;
}

function dropInList(list: readonly Json[], step: string, rest: readonly string[]): Json {
  const index = step === '[*]' ? null : Number(step.slice(1, -1));
  if (rest.length === 0) {
    const kept = list.filter((_, at) => index !== null && at !== index);
    return kept.length === list.length ? list : kept;
  }
  const changed = list.map((entry, at) => (index === null || at === index ? drop(entry, rest) : entry));
  return changed.some((entry, at) => entry !== list[at]) ? changed : list;
}

function dropInObject(object: JsonObject, key: string, rest: readonly string[]): Json {
  const member = object[key];
  if (member === undefined) return object;
  if (rest.length === 0) {
    const { [key]: _, ...others } = object;
    return others;
  }
  const changed = drop(member, rest);
  return changed === member ? object : { ...object, [key]: changed };
}
