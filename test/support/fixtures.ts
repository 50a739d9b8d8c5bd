import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../src/core/json.ts';
import type { Deployment, UpstreamSettings } from '../../src/core/snapshot.ts';
import type { CallContext } from '../../src/providers/provider.ts';

/** One behaviour of one provider; every part but the request may be missing. See src/providers/__fixtures__.md. */
export interface Fixture {
  /** `anthropic/tool-call-no-arguments`. */
  readonly name: string;
  /** The provider's id in the registry. */
  readonly provider: string;
  /** What the client sends, byte for byte; null in a fixture about an error body alone. */
  readonly request: Buffer | null;
  readonly settings: FixtureSettings;
  readonly upstreamRequest: FixtureRequest | null;
  /** The exact body sent upstream, where its bytes matter. */
  readonly upstreamBody: Buffer | null;
  readonly refusal: JsonObject | null;
  readonly response: FixtureResponse;
  readonly body: Buffer | null;
  readonly stream: Buffer | null;
  readonly expectedBody: Buffer | null;
  readonly expectedStream: Buffer | null;
  readonly usage: JsonObject | null;
  readonly outcome: JsonObject | null;
}

/** `deployment.json`: what the operator configured and what the router decided. */
export interface FixtureSettings {
  readonly provider?: string;
  readonly model?: string;
  readonly upstream?: Partial<Omit<UpstreamSettings, 'apiKey' | 'extraHeaders'>>;
  readonly deployment?: Partial<Deployment>;
  readonly context?: Partial<CallContext>;
}

export interface FixtureRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: JsonObject;
  readonly dropped?: readonly string[];
}

export interface FixtureResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

const PLAIN_RESPONSE: FixtureResponse = { status: 200, headers: { 'content-type': 'application/json' } };

/** Every fixture below `src/providers/<folder>/__fixtures__/`, in the order of their names. */
export function loadFixtures(providersFolder: string): readonly Fixture[] {
  return folders(providersFolder).flatMap((provider) => {
    const home = join(providersFolder, provider, '__fixtures__');
    return existsSync(home) ? folders(home).map((behaviour) => load(join(home, behaviour), provider, behaviour)) : [];
  });
}

/** Names of all files that a fixture may consist of; anything else in its folder is a mistake. */
export const FIXTURE_FILES: readonly string[] = [
  'request.json',
  'deployment.json',
  'upstream-request.json',
  'upstream-request.body',
  'refusal.json',
  'response.json',
  'response.body',
  'response.body.json',
  'response.sse',
  'expected.json',
  'expected.sse',
  'usage.json',
  'outcome.json',
];

function load(folder: string, provider: string, behaviour: string): Fixture {
  const unknown = readdirSync(folder).filter((file) => !FIXTURE_FILES.includes(file));
  if (unknown.length > 0) throw new Error(`${provider}/${behaviour}: unknown files ${unknown.join(', ')}`);
  const bytes = (file: string) => (existsSync(join(folder, file)) ? readFileSync(join(folder, file)) : null);
  const json = <T>(file: string) => JSON.parse(bytes(file)?.toString() ?? 'null') as T | null;
  const settings = json<FixtureSettings>('deployment.json') ?? {};
  return {
    name: `${provider}/${behaviour}`,
    provider: settings.provider ?? provider,
    request: bytes('request.json'),
    settings,
    upstreamRequest: json('upstream-request.json'),
    upstreamBody: bytes('upstream-request.body'),
    refusal: json('refusal.json'),
    response: json<FixtureResponse>('response.json') ?? PLAIN_RESPONSE,
    body: bytes('response.body') ?? bytes('response.body.json'),
    stream: bytes('response.sse'),
    expectedBody: bytes('expected.json'),
    expectedStream: bytes('expected.sse'),
    usage: json('usage.json'),
    outcome: json('outcome.json'),
  };
}

function folders(parent: string): readonly string[] {
  return readdirSync(parent)
    .filter((name) => statSync(join(parent, name)).isDirectory())
    .sort();
}
