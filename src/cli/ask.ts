import type { ServeArguments } from './arguments.ts';
import { readEnvFile } from './environment.ts';
import type { Io } from './io.ts';

/** How long a running gateway may take to say that it is well. */
const PATIENCE_MS = 60_000;

/**
 * `--health` and `--test`: asks a running gateway and prints what it says.
 *
 * @returns 0 when the answer is a success
 */
export async function ask(args: ServeArguments, io: Io): Promise<number> {
  const env = readEnvFile(io, args.envFile);
  if (typeof env === 'string') {
    io.writeError(`tollgate: ${env}\n`);
    return 1;
  }
  const base = args.target ?? `http://127.0.0.1:${args.port}`;
  const key = env.LITELLM_MASTER_KEY ?? '';
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  try {
    const response =
      args.kind === 'health'
        ? await fetch(`${base}/health`, { headers, signal: AbortSignal.timeout(PATIENCE_MS) })
        : await testChat(base, headers);
    io.write(`${await response.text()}\n`);
    return response.ok ? 0 : 1;
  } catch (error) {
    io.writeError(`tollgate: no gateway answers at ${base}: ${(error as Error).message}\n`);
    return 1;
  }
}

/** One chat request to the first model that the gateway lists. */
async function testChat(base: string, headers: Record<string, string>): Promise<Response> {
  const list = await fetch(`${base}/v1/models`, { headers, signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!list.ok) return list;
  const { data } = (await list.json()) as { readonly data: readonly { readonly id: string }[] };
  const body = JSON.stringify({
    model: data[0]?.id ?? 'demo',
    messages: [{ role: 'user', content: 'this is a test request, write a short poem' }],
  });
  return fetch(`${base}/v1/chat/completions`, {
    method: 'POST',
    headers,
    body,
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
}
