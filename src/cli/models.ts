import { ModelLayer } from '../control/stored/layer.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { secretBox } from '../secrets/keys.ts';
import type { SecretBox } from '../secrets/secret-box.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../telemetry/log.ts';
import { systemClock } from '../transport/system-clock.ts';
import type { Io } from './io.ts';

/** Opens the database's layer of the configuration; `onChange` is called whenever the configuration must be compiled anew. */
export function openModels(
  store: Store,
  current: () => Snapshot,
  { env, log }: { readonly env: Io['env']; readonly log: Logger },
  onChange: () => void,
): Promise<ModelLayer> {
  return ModelLayer.open({
    store,
    box: boxOf(current(), env),
    clock: systemClock,
    onChange,
    log: {
      unreadable: (credential) =>
        log.warn('a stored credential cannot be decrypted; who names it is out of use', {
          credential,
          hint: 'LITELLM_SALT_KEY, or LITELLM_SALT_KEY_PREVIOUS, has to hold the key that it was encrypted with',
        }),
      away: (reason) => log.warn('the stored models cannot be read; those that are known go on', { reason }),
    },
  });
}

/** @throws Error without a master key, with which no gateway starts */
function boxOf({ server }: Snapshot, env: Io['env']): SecretBox {
  const box = secretBox(env, server.masterKey?.reveal() ?? null);
  if (box === null) throw new Error('a gateway without a master key was started');
  return box;
}
