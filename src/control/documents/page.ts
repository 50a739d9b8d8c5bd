import { VERSION } from '../../core/version.ts';
import type { AdminRoute } from '../http/admin-route.ts';
import { shapeOf } from '../http/input.ts';
import { AUDIENCES } from './openapi.ts';

/**
 * The table of routes as a page for people: no script, nothing from another server, so that it works behind any wall and
 * any content security policy.
 */
export function documentsPage(routes: readonly AdminRoute[], rootPath: string): string {
  const tags = [...new Set(routes.map(({ tag }) => tag))];
  const links = tags.map((tag) => `<a href="#${tag}">${tag}</a>`).join(' ');
  const chapters = tags
    .map((tag) =>
      chapter(
        tag,
        routes.filter((route) => route.tag === tag),
      ),
    )
    .join('');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tollgate ${VERSION}: admin API</title><style>${STYLE}</style></head>
<body><main><h1>Tollgate ${VERSION}</h1>
<p>The admin API. Requests carry <code>Authorization: Bearer sk-…</code>, the master key or a key that may.
For tools: <a href="${escaped(rootPath)}/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
<nav>${links}</nav>${chapters}</main></body></html>
`;
}

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1c2330;background:#fff}
main{max-width:60rem;margin:0 auto;padding:1.5rem}nav a{margin-right:1rem}h2{border-bottom:1px solid #ccd;margin-top:2.5rem}
details{border:1px solid #dde;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}summary{cursor:pointer}
code{font:14px ui-monospace,monospace}b.method{display:inline-block;min-width:4.5rem;color:#0b5d4b}
table{border-collapse:collapse;margin:.5rem 0}td{padding:.1rem .8rem .1rem 0;vertical-align:top}
@media (prefers-color-scheme:dark){body{color:#e6e9f0;background:#12151c}a{color:#8fc7ff}details{border-color:#333a48}b.method{color:#5fd3b5}}`;

function chapter(tag: string, routes: readonly AdminRoute[]): string {
  return `<h2 id="${tag}">${tag}</h2>${routes.map(entry).join('')}`;
}

function entry({ methods, paths, summary, audience, input, ignored = {} }: AdminRoute): string {
  const [path, ...others] = paths;
  const also =
    others.length === 0 ? '' : `<p>Also at ${others.map((each) => `<code>${escaped(each)}</code>`).join(', ')}.</p>`;
  const fields = Object.entries(shapeOf(input) ?? {}).map(([name, schema]) => {
    const note = ignored[name] ?? (schema.safeParse(undefined).success ? '' : 'required');
    return `<tr><td><code>${escaped(name)}</code></td><td>${escaped(note)}</td></tr>`;
  });
  const table = fields.length === 0 ? '' : `<table>${fields.join('')}</table>`;
  return `<details><summary><b class="method">${methods.join(' ')}</b> <code>${escaped(path)}</code> ${escaped(summary)}</summary>
<p>${AUDIENCES[audience]}</p>${also}${table}</details>`;
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
