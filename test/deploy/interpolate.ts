/** What compose fills in for the variables of a text, and which variables those were. */
export interface Interpolated {
  readonly text: string;
  readonly names: readonly string[];
}

/**
 * Fills in `${NAME}`, `${NAME:-default}` and `${NAME:?message}` as compose does, defaults within defaults included.
 *
 * @throws Error with the message of a `:?` whose variable is empty
 * @see compose-go 2.16.2, Compose's own parser: it made the same of docker-compose.yml (2026-11-23)
 */
export function interpolate(template: string, env: Readonly<Record<string, string>>): Interpolated {
  const names: string[] = [];
  let text = '';
  let from = 0;
  for (;;) {
    const start = template.indexOf('${', from);
    if (start < 0) return { text: text + template.slice(from), names };
    const end = closing(template, start + 2);
    const [, name = '', operator = '', rest = ''] =
      /^([A-Z_][A-Z0-9_]*)(?:(:[-?])([\s\S]*))?$/.exec(template.slice(start + 2, end)) ?? [];
    if (name === '') throw new Error(`no variable: ${template.slice(start, end + 1)}`);
    names.push(name);
    const value = env[name] ?? '';
    names.push(...namesIn(rest));
    if (value === '' && operator === ':?') throw new Error(`${name}: ${rest}`);
    text += template.slice(from, start) + (value === '' && operator === ':-' ? interpolate(rest, env).text : value);
    from = end + 1;
  }
}

/** Variables of a default, whether it is used or not. */
function namesIn(template: string): readonly string[] {
  return [...template.matchAll(/\$\{([A-Z_][A-Z0-9_]*)/g)].map(([, name = '']) => name);
}

/** Where the brace that is open at `from` closes. */
function closing(template: string, from: number): number {
  let depth = 1;
  for (let at = from; at < template.length; at += 1) {
    if (template.startsWith('${', at)) depth += 1;
    if (template[at] === '}') depth -= 1;
    if (depth === 0) return at;
  }
  throw new Error(`a brace is not closed: ${template.slice(from)}`);
}
