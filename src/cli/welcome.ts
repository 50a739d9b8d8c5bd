import type { Snapshot } from '../core/snapshot.ts';

interface Welcome {
  readonly address: { readonly hostname: string; readonly port: number };
  readonly snapshot: Snapshot;
  /** The file that holds the key, when the gateway read one. */
  readonly envFile: string | null;
  readonly version: string;
}

/**
 * What a newcomer needs at the start: address, key, a request that works, and which models can answer.
 *
 * The key itself is not printed: start-up output ends in log collectors. The line says where it is.
 */
export function welcome({ address, snapshot, envFile, version }: Welcome): string {
  const host = ['0.0.0.0', '::'].includes(address.hostname) ? 'localhost' : address.hostname;
  const url = `http://${host}:${address.port}`;
  const { ready, disabled } = models(snapshot);
  const model = ready[0] ?? 'MODEL';
  const lines = [
    `Tollgate ${version} serves at ${url}`,
    '',
    `Key       LITELLM_MASTER_KEY ${envFile === null ? 'of the environment' : `in ${envFile}`}`,
    `Ready     ${ready.length === 0 ? 'no model: set a provider key, for example OPENAI_API_KEY' : ready.join(', ')}`,
    ...disabled.map((line) => `Disabled  ${line}`),
    '',
    'Try it:',
    ...(envFile === null ? [] : [`  export LITELLM_MASTER_KEY="$(sed -n 's/^LITELLM_MASTER_KEY=//p' ${envFile})"`]),
    `  curl ${url}/v1/chat/completions -H "Authorization: Bearer $LITELLM_MASTER_KEY" \\`,
    `    -H "Content-Type: application/json" -d '{"model": "${model}", "messages": [{"role": "user", "content": "Hello"}]}'`,
  ];
  return box(lines);
}

function models(snapshot: Snapshot): { readonly ready: string[]; readonly disabled: string[] } {
  const ready = new Set<string>();
  const disabled = new Map<string, Set<string>>();
  for (const deployment of snapshot.deployments.values()) {
    if (deployment.disabled === null) {
      ready.add(deployment.group);
      continue;
    }
    const names = disabled.get(deployment.group) ?? new Set<string>();
    const { missingVariables, message } = deployment.disabled;
    for (const name of missingVariables.length > 0 ? missingVariables : [message]) names.add(name);
    disabled.set(deployment.group, names);
  }
  return {
    ready: [...ready],
    disabled: [...disabled].map(([group, names]) => `${group}: set ${[...names].join(', ')}`),
  };
}

function box(lines: readonly string[]): string {
  const rule = '─'.repeat(78);
  return `${rule}\n${lines.map((line) => ` ${line}`).join('\n')}\n${rule}\n`;
}
