import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isObject, type JsonObject } from '../../src/core/json.ts';
import type { CallContext, Facet, Provider } from '../../src/providers/provider.ts';
import { PROVIDERS } from '../../src/providers/registry.ts';
import { testCall, testContext, testDeployment } from './call.ts';

/**
 * The folder of recorded provider traffic, or null when it is not at hand.
 *
 * It is third-party data and stays where it is: tests read it, nothing of it is copied here.
 */
export const RECORDINGS_FOLDER = process.env.TOLLGATE_RECORDINGS ?? null;

/** One recorded exchange with a provider. */
export interface Recording {
  /** `openai/chat-stream`; `documented/…` for shapes that are only documented. */
  readonly name: string;
  /** The provider's id here; null when there is none. */
  readonly provider: Provider | null;
  /** What of the provider serves this path, or null. */
  readonly family: Family | null;
  readonly path: string;
  readonly requestBody: JsonObject;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly isStream: boolean;
  /** Of the body, as the corpus itself notes it; null for documented shapes. */
  readonly sha256: string | null;
  /** Where the network cut the body, when that was recorded. */
  readonly reads: readonly number[] | null;
}

export type Family = 'chat' | 'completions' | 'embeddings';

/** Folders whose provider has another id here. */
const IDS: Readonly<Record<string, string>> = { together: 'together_ai' };

const PATHS: readonly (readonly [RegExp, Family])[] = [
  [/\/chat\/completions$/, 'chat'],
  [/\/completions$/, 'completions'],
  [/\/embeddings$/, 'embeddings'],
  [/^\/v1\/messages$/, 'chat'],
];

/** Every recording, or nothing when the corpus is not at hand. */
export function loadRecordings(): readonly Recording[] {
  return load('upstream', '');
}

/** Shapes that are documented and of which there is no recording. */
export function loadDocumented(): readonly Recording[] {
  return load('documented', 'documented/');
}

function load(part: string, prefix: string): readonly Recording[] {
  if (RECORDINGS_FOLDER === null) return [];
  const root = join(RECORDINGS_FOLDER, part);
  return folders(root).flatMap((folder) =>
    folders(join(root, folder)).map((name) => read(join(root, folder, name), folder, `${prefix}${folder}/${name}`)),
  );
}

function read(home: string, folder: string, name: string): Recording {
  const json = (file: string): JsonObject | null => {
    const path = join(home, file);
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as JsonObject) : null;
  };
  const request = json('request.json') ?? {};
  const response = json('response.json') ?? {};
  const meta = json('meta.json') ?? {};
  const path = typeof request.path === 'string' ? request.path : '';
  const provider = PROVIDERS.get(providerIdOf(folder, path)) ?? null;
  return {
    name,
    provider,
    family: provider === null ? null : familyOf(path),
    path,
    requestBody: isObject(request.body) ? request.body : {},
    status: response.status as number,
    headers: response.headers as Record<string, string>,
    body: readFileSync(join(home, response.bodyFile as string)),
    isStream: response.bodyFormat === 'sse',
    sha256: isObject(meta.body) && typeof meta.body.sha256 === 'string' ? meta.body.sha256 : null,
    reads: json('network-reads.json') as unknown as number[] | null,
  };
}

function providerIdOf(folder: string, path: string): string {
  if (folder === 'azure' && path.startsWith('/models/')) return 'azure_ai';
  return IDS[folder] ?? folder;
}

function familyOf(path: string): Family | null {
  return PATHS.find(([pattern]) => pattern.test(path))?.[1] ?? null;
}

/** The facet that a recording is about, and a call as a client would have made it. */
export function staged(
  recording: Recording,
  overrides: Partial<CallContext> = {},
): { facet: Facet; context: CallContext } {
  const { provider, family, requestBody, name } = recording;
  const facet = provider === null || family === null ? undefined : provider[family];
  if (provider === null || facet === undefined) throw new Error(`${name} has no provider`);
  const call = testCall(Buffer.from(JSON.stringify({ messages: [], model: 'm', ...requestBody })));
  const deployment = testDeployment(provider.id, String(requestBody.model ?? 'm'));
  const context = testContext(deployment, call, { isStreaming: recording.isStream, ...overrides });
  return { facet, context };
}

/** SHA-256 of bytes, in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function folders(parent: string): readonly string[] {
  return readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
