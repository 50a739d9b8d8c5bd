import { createHash } from 'node:crypto';
import { type MapTree, type Tree, written } from './tree.ts';

/**
 * The id of a deployment whose entry gives none: SHA-256 over the public name and each parameter in the file's order.
 *
 * LiteLLM's formula with one difference: references stay unresolved, so that the id is the same on every machine and does not
 * change when a key is rotated (LiteLLM's does).
 *
 * @see litellm.md §1.4.3
 */
export function computedId(modelName: string, params: MapTree, organization: string | null): string {
  const parts = [modelName];
  for (const [key, entry] of params.entries) {
    const isOneOfMany = key === 'organization' && entry.value.kind === 'list';
    parts.push(key, isOneOfMany ? (organization ?? '') : paramText(entry.value));
  }
  return createHash('sha256').update(parts.join('')).digest('hex');
}

function paramText(tree: Tree): string {
  return tree.kind === 'map' ? pythonJson(written(tree)) : pythonText(written(tree));
}

/** `json.dumps` of Python, as far as configuration values go. */
function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, member]) => `${JSON.stringify(key)}: ${pythonJson(member)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** `str()` of Python, as far as configuration values go. */
function pythonText(value: unknown, isNested = false): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'string') return isNested ? `'${value}'` : value;
  if (Array.isArray(value)) return `[${value.map((item) => pythonText(item, true)).join(', ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, member]) => `'${key}': ${pythonText(member, true)}`)
      .join(', ')}}`;
  }
  return String(value);
}
