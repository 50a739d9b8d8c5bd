import { SecretBox } from './secret-box.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The box for provider credentials: sealed under `LITELLM_SALT_KEY`, or under the master key where there is none, as
 * LiteLLM does. `LITELLM_SALT_KEY_PREVIOUS` (comma-separated) and the master key open what was sealed before.
 *
 * @returns null when neither is set: then nothing can be kept
 */
export function secretBox(env: Environment, masterKey: string | null): SecretBox | null {
  const [current, ...earlier] = litellmKeys(env, masterKey);
  return current === undefined ? null : new SecretBox(current, [...previousKeys(env), ...earlier]);
}

/** The keys under which LiteLLM may have encrypted: the salt key, then the master key. */
export function litellmKeys(env: Environment, masterKey: string | null): readonly string[] {
  return [env.LITELLM_SALT_KEY, masterKey].filter((key) => key !== undefined && key !== null && key !== '') as string[]; // what is left is text
}

function previousKeys(env: Environment): readonly string[] {
  return (env.LITELLM_SALT_KEY_PREVIOUS ?? '')
    .split(',')
    .map((key) => key.trim())
    .filter((key) => key !== '');
}
