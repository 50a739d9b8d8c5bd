import type { LoadOptions } from '../config/load.ts';
import type { StoredLayer } from '../config/stored.ts';
import type { ModelPorts } from '../control/ports.ts';
import { ModelLayer } from '../control/stored/layer.ts';
import { modelPorts } from '../control/stored/ports.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { secretBox } from '../secrets/keys.ts';
import type { SecretBox } from '../secrets/secret-box.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../telemetry/log.ts';
import { systemClock } from '../transport/system-clock.ts';
import type { Io } from './io.ts';

/** The database's layer of the configuration, as the composition root and the admin API use it. */
export interface StoredModels {
  readonly current: StoredLayer;
  readonly ports: ModelPorts;
  /** Resolves when what was changed so far is served by this instance. */
  settled(): Promise<void>;
  close(): void;
}

/** What the layer needs: how the configuration is loaded, with the layer itself in it, and what to do after a change. */
export interface StoredModelsOptions {
  current(): Snapshot;
  readonly env: Io['env'];
  readonly log: Logger;
  load(): LoadOptions;
  onChange(): void;
}

/** Opens the layer; while the database is away it is empty, and filled when it is back. */
export async function openModels(store: Store, options: StoredModelsOptions): Promise<StoredModels> {
  const { current, env, log, load, onChange } = options;
  const box = boxOf(current(), env);
  const layer = await ModelLayer.open({
    store,
    box,
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
  return {
    get current() {
      return layer.current;
    },
    ports: modelPorts(current, load, box),
    settled: () => layer.settled(),
    close: () => layer.close(),
  };
}

/** @throws Error without a master key, with which no gateway starts */
function boxOf({ server }: Snapshot, env: Io['env']): SecretBox {
  const box = secretBox(env, server.masterKey?.reveal() ?? null);
  if (box === null) throw new Error('a gateway without a master key was started');
  return box;
}
