import { misconfigured, OPENAI_PATHS } from '../openai/facet.ts';
import type { CallContext, Dialect, Refusal } from '../provider.ts';

/** LiteLLM's default of late 2025. */
export const DEFAULT_API_VERSION = '2025-02-01-preview';

/** Values of `api_version` that stand for the path family without versions. */
const V1_VERSIONS = new Set(['v1', 'latest', 'preview']);

/**
 * The URL of one Azure OpenAI call, in the family that base and version ask for.
 *
 * - a base with `/openai/v1`, or the version `v1`, `latest` or `preview`: paths as at OpenAI, deployment in the body;
 * - a base with `/deployments/…`: the operator chose the deployment's path, only the operation is added;
 * - else `/openai/deployments/{deployment}/…?api-version=`.
 *
 * @see specs/azure.md §1
 */
export function azureUrl(context: CallContext, dialect: Dialect): string | Refusal {
  const { baseUrl, apiVersion } = context.deployment.upstream;
  if (baseUrl === null) {
    return misconfigured('No api_base for azure: set AZURE_API_BASE to https://<resource>.openai.azure.com.');
  }
  const { address, query } = split(baseUrl);
  const path = OPENAI_PATHS[dialect];
  const version = apiVersion ?? query.get('api-version');
  if (/\/openai\/v1(?:\/|$)/.test(address) || (version !== null && V1_VERSIONS.has(version))) {
    return v1Url(address, query, path, version);
  }
  query.set('api-version', version ?? DEFAULT_API_VERSION);
  return `${deploymentAddress(address, context.model, path)}?${query}`;
}

/** The URL of a call to Azure AI Foundry's model inference endpoint (`azure_ai/`). */
export function foundryUrl(context: CallContext, dialect: Dialect): string | Refusal {
  const { baseUrl, apiVersion } = context.deployment.upstream;
  if (baseUrl === null) {
    return misconfigured(
      'No api_base for azure_ai: set AZURE_AI_API_BASE to https://<resource>.services.ai.azure.com.',
    );
  }
  const { address, query } = split(baseUrl);
  const path = OPENAI_PATHS[dialect];
  if (/\/openai\/v1(?:\/|$)/.test(address)) return v1Url(address, query, path, apiVersion);
  const serverless = isServerless(address);
  if (apiVersion !== null) query.set('api-version', apiVersion);
  else if (!serverless && !query.has('api-version')) query.set('api-version', FOUNDRY_API_VERSION);
  return finish(withPath(serverless || address.endsWith('/models') ? address : `${address}/models`, path), query);
}

const FOUNDRY_API_VERSION = '2024-05-01-preview';

/** Serverless endpoints of one model have a host of their own, OpenAI's paths and OpenAI's way to send the key. */
export function isServerless(address: string): boolean {
  return !/\.(?:services\.ai|cognitiveservices|openai)\.azure\./.test(address);
}

function v1Url(address: string, query: URLSearchParams, path: string, version: string | null): string {
  const base = /\/openai\/v1(?:\/|$)/.test(address) ? address : `${address.replace(/\/openai$/, '')}/openai/v1`;
  query.delete('api-version');
  // Needed to opt in to previews; the dated versions mean nothing here.
  if (version === 'preview') query.set('api-version', version);
  return finish(withPath(base, path), query);
}

function deploymentAddress(address: string, deployment: string, path: string): string {
  if (address.includes('/deployments/')) return withPath(address, path);
  const base = address.endsWith('/openai') ? address : `${address}/openai`;
  return `${base}/deployments/${encodeURIComponent(deployment)}${path}`;
}

function withPath(address: string, path: string): string {
  return address.endsWith(path) ? address : address + path;
}

function finish(address: string, query: URLSearchParams): string {
  return query.size === 0 ? address : `${address}?${query}`;
}

function split(base: string): { address: string; query: URLSearchParams } {
  const [address = '', ...query] = base.split('?');
  return { address: address.replace(/\/+$/, ''), query: new URLSearchParams(query.join('?')) };
}
