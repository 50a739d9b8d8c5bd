import type { AdminRoute } from './admin-route.ts';

/** The routes of one path, and what stands where the path has braces. */
export interface PathMatch {
  readonly routes: readonly AdminRoute[];
  /** Still percent-encoded. */
  readonly values: Readonly<Record<string, string>>;
}

interface Template {
  readonly segments: readonly string[];
  readonly routes: readonly AdminRoute[];
}

/** Finds routes by path: whole paths in one look-up, those with braces segment by segment. */
export class RouteTable {
  readonly #whole = new Map<string, AdminRoute[]>();
  readonly #templates: readonly Template[];
  /** First segments: whoever asks for a model is told in one look-up that his path is not here. */
  readonly #beginnings: ReadonlySet<string>;

  constructor(routes: readonly AdminRoute[]) {
    for (const route of routes) {
      for (const path of route.paths) this.#whole.set(path, [...(this.#whole.get(path) ?? []), route]);
    }
    this.#beginnings = new Set([...this.#whole.keys()].map(beginning));
    this.#templates = [...this.#whole]
      .filter(([path]) => path.includes('{'))
      .map(([path, found]) => ({ segments: path.split('/'), routes: found }));
  }

  /** @param path without a query and without the server's root path; one slash at its end does not count */
  match(path: string): PathMatch | null {
    if (!this.#beginnings.has(beginning(path))) return null;
    const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
    const routes = this.#whole.get(trimmed);
    return routes === undefined ? this.#matchTemplate(trimmed) : { routes, values: {} };
  }

  #matchTemplate(path: string): PathMatch | null {
    const segments = path.split('/');
    for (const template of this.#templates) {
      const values = valuesOf(template.segments, segments);
      if (values !== null) return { routes: template.routes, values };
    }
    return null;
  }
}

/** Asked for every request of the gateway, so it makes no list of segments. */
function beginning(path: string): string {
  const end = path.indexOf('/', 1);
  return end < 0 ? path.slice(1) : path.slice(1, end);
}

function valuesOf(template: readonly string[], segments: readonly string[]): Readonly<Record<string, string>> | null {
  if (template.length !== segments.length) return null;
  const values: Record<string, string> = {};
  for (const [index, part] of template.entries()) {
    const segment = segments[index] ?? '';
    if (!part.startsWith('{')) {
      if (part !== segment) return null;
    } else if (segment === '') return null;
    else values[part.slice(1, -1)] = segment;
  }
  return values;
}
