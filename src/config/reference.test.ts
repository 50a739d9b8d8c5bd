import { expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { litellmParams, modelEntry, modelInfo } from './keys/deployment.ts';
import { generalSettings } from './keys/general.ts';
import { litellmSettings } from './keys/litellm.ts';
import { root } from './keys/root.ts';
import { routerSettings } from './keys/router.ts';
import { referenceText } from './reference.ts';

const FILE = new URL('../../docs/reference/configuration.md', import.meta.url);

test('the committed page is the one that the table makes (UPDATE_REFERENCE=1 writes it)', () => {
  if (process.env.UPDATE_REFERENCE === '1') writeFileSync(FILE, referenceText());
  expect(readFileSync(FILE, 'utf8')).toBe(referenceText());
});

test.each([
  ['The top of the file', root],
  ['model_list[]', modelEntry],
  ['model_list[].litellm_params', litellmParams],
  ['model_list[].model_info', modelInfo],
  ['router_settings', routerSettings],
  ['litellm_settings', litellmSettings],
  ['general_settings', generalSettings],
])('every key of %s is there once', (heading, section) => {
  const chapter =
    referenceText()
      .split(/^## /m)
      .find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const lists = chapter
    .split('\n')
    .map((line) => /^\| (`.*?`) \|/.exec(line)?.[1] ?? /^- .*?: (`.*)$/.exec(line)?.[1] ?? '');
  const named = lists.flatMap((list) => [...list.matchAll(/`([^`]+)`/g)].map(([, key]) => key));
  expect(named.toSorted()).toEqual(Object.keys(section).toSorted());
});

test.each([
  [
    'a default in a sentence of its own',
    '| `num_retries` | a whole number, 0 or more | 2 | Retries when nothing else is left to try. |',
  ],
  [
    'a default with more behind it',
    '| 600 | Seconds for the first byte and between bytes of an attempt. (LiteLLM’s is 6000.) |',
  ],
  [
    'a decimal',
    '| `base` | a number of seconds, 0 to 2000000 | 0.5 | Seconds before the first return to the same deployment. |',
  ],
  ['an approximated key', '| `retry_after` | a number of seconds, 0 to 2000000 |  | **Approximated.** The first delay'],
  ['keys that mean the same', '| `temperature`, `top_p`, `min_p` | a number, 0 or more |  | Sent upstream when'],
  ['a section', 'See [model_list[].litellm_params](#model_listlitellm_params).'],
  ['a key whose part is not built', '- the database: `database_connection_pool_limit`, '],
])('it shows %s', (_name, line) => {
  expect(referenceText()).toContain(line);
});
