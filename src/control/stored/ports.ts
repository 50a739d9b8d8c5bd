import { checkStored, type LoadOptions } from '../../config/load.ts';
import { maskedJson } from '../../config/stored.ts';
import { deploymentId } from '../../core/ids.ts';
import type { Snapshot } from '../../core/snapshot.ts';
import type { SecretBox } from '../../secrets/secret-box.ts';
import type { ModelPorts } from '../ports.ts';

/**
 * What the admin API's models need, from what the composition root has.
 *
 * @param load how the running configuration is loaded: the same file, environment and layer
 */
export function modelPorts(current: () => Snapshot, load: () => LoadOptions, box: SecretBox | null): ModelPorts {
  return {
    isEnabled: () => current().server.storesModels,
    box,
    isInFile: (id) => current().deployments.get(deploymentId(id))?.isStored === false,
    problem: (model) => checkStored(model, load()),
    masked: maskedJson,
  };
}
