import { z } from 'zod';
import { honoured, ignored, itemsRow, later, mapRow, objectOf } from '../table.ts';
import { anything, map, mapOf, maps, names, text } from '../values.ts';
import { litellmParams, modelList } from './deployment.ts';
import { generalSettings } from './general.ts';
import { litellmSettings } from './litellm.ts';
import { routerSettings } from './router.ts';

/** The keys at the top of the file (litellm.md §1.1). */

const credential = {
  credential_name: honoured(text, 'Name for `litellm_credential_name`.'),
  credential_values: mapRow(litellmParams, {
    fate: 'honoured',
    note: 'Members of `litellm_params` that deployments take over.',
  }),
  credential_info: ignored(map, 'a description for people'),
};

const variable = z.union([z.string(), z.number().transform(String), z.boolean().transform(String)], { error: 'text' });

export const root = {
  model_list: modelList,
  router_settings: mapRow(routerSettings, { fate: 'honoured', note: 'Routing, retries, fallbacks, timeouts.' }),
  litellm_settings: mapRow(litellmSettings, {
    fate: 'honoured',
    note: 'Parameters, and settings shared with the router.',
  }),
  general_settings: mapRow(generalSettings, { fate: 'honoured', note: 'The service itself.' }),
  environment_variables: honoured(
    mapOf(variable, 'a map of names to texts'),
    'Variables that the file adds to the environment that it is read with.',
  ),
  include: honoured(names, 'Files merged into this one; paths relative to it.'),
  credential_list: itemsRow(credential, { fate: 'honoured', note: 'Named credentials for deployments.' }),
  callback_settings: later(map, 'logging callbacks'),
  guardrails: later(maps, 'guardrails'),
  policies: later(anything, 'guardrails'),
  policy_attachments: later(anything, 'guardrails'),
  prompts: later(anything, 'prompt management'),
  mcp_servers: later(anything, 'MCP servers'),
  mcp_tools: later(anything, 'MCP servers'),
  search_tools: later(anything, 'search tools'),
  vector_store_registry: later(anything, 'vector stores'),
  files_settings: later(anything, 'files'),
  finetune_settings: later(anything, 'fine-tuning'),
  batch_settings: later(anything, 'batches'),
  assistant_settings: ignored(anything, 'the Assistants API was withdrawn'),
  agent_list: later(anything, 'agents'),
};

/** The whole file after odd spellings are rewritten and references resolved; null members are left out before. */
export const fileSchema = objectOf(root);

/** What a valid file holds. */
export type ConfigFile = z.infer<typeof fileSchema>;
export type ModelEntry = NonNullable<ConfigFile['model_list']>[number];
export type LitellmParams = NonNullable<ModelEntry['litellm_params']>;
export type RouterSettings = NonNullable<ConfigFile['router_settings']>;
