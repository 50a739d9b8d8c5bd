import type { Loaded, loadConfig } from '../config/load.ts';
import { placesOfErrors, renderFindings } from '../config/report.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { Logger } from '../telemetry/log.ts';
import type { MetricsRegistry } from '../telemetry/metrics.ts';

type Result = ReturnType<typeof loadConfig>;

/** The configuration in use, and how another takes its place: whole, or not at all. */
export class RunningConfig {
  readonly #reload: ReloadState;
  readonly #log: Logger;
  #snapshot: Snapshot;
  #onSwap: (snapshot: Snapshot, loaded: Loaded) => void = () => {};

  constructor(snapshot: Loaded['snapshot'], registry: MetricsRegistry, log: Logger) {
    this.#snapshot = { ...snapshot, version: 1 };
    this.#reload = new ReloadState(registry);
    this.#log = log;
  }

  readonly current = (): Snapshot => this.#snapshot;

  /** Where the newest edit is wrong, when it was not taken; fit to be told to anybody. */
  get problem(): string | null {
    return this.#reload.problem;
  }

  /** Before anybody has looked: with what the database adds to the file. One that is wrong changes nothing. */
  begin(whole: Result): void {
    if (whole.kind === 'loaded') this.#snapshot = { ...whole.snapshot, version: 1 };
  }

  /** Told after each swap. */
  onSwap(listener: (snapshot: Snapshot, loaded: Loaded) => void): void {
    this.#onSwap = listener;
  }

  take(next: Result): void {
    const log = this.#log;
    if (next.kind === 'invalid') {
      this.#reload.refused(placesOfErrors(next.findings));
      log.error('the edited configuration is wrong and was not taken; the one before stays in use', {
        problem: renderFindings(next.findings),
      });
      return;
    }
    this.#reload.taken();
    const { version, fingerprint } = this.#snapshot;
    if (next.snapshot.fingerprint === fingerprint) return;
    this.#snapshot = { ...next.snapshot, version: version + 1 };
    this.#onSwap(this.#snapshot, next);
    log.info('configuration swapped', { version: version + 1, fingerprint: next.snapshot.fingerprint });
    tellOfConfig(log, next);
  }
}

/** Writes what was found in a configuration that is taken. */
export function tellOfConfig(log: Logger, loaded: Loaded): void {
  tellOfFindings(log, loaded);
  tellOfUnpriced(log, loaded.snapshot);
}

function tellOfFindings(log: Logger, { findings }: Loaded): void {
  for (const { severity, message, file, line, path, hint } of findings) {
    const fields = { file, line, path, hint };
    if (severity === 'note') log.info(message, fields);
    else log.warn(message, fields);
  }
}

/** One line, once for each configuration; of a pattern's models each is known or not when it is asked for. */
function tellOfUnpriced(log: Logger, { deployments }: Loaded['snapshot']): void {
  const unpriced = [...deployments.values()].filter(
    ({ price, disabled, isWildcard }) => price === null && disabled === null && !isWildcard,
  );
  if (unpriced.length === 0) return;
  const models = [...new Set(unpriced.map(({ configuredModel }) => configuredModel))];
  log.info('no price is known for some models: what they cost is recorded as unknown', {
    models,
    hint: 'model_info.base_model names a model whose price they have; input_cost_per_token and output_cost_per_token set it',
  });
}

/** Whether the last edit of the configuration was taken; loud in metrics, log and readiness. */
class ReloadState {
  /** Where the file is wrong; readiness tells it to anybody. */
  problem: string | null = null;
  readonly #failures;
  readonly #gauge;

  constructor(registry: MetricsRegistry) {
    this.#failures = registry.counter(
      'tollgate_config_reload_failures_total',
      'Edits of the configuration that were refused.',
      [],
    );
    this.#gauge = registry.gauge(
      'tollgate_config_last_reload_successful',
      'Whether the configuration on disk is the one in use.',
      [],
    );
    this.#failures.add({}, 0);
    this.#gauge.set({}, 1);
  }

  refused(problem: string): void {
    this.problem = problem;
    this.#failures.add({});
    this.#gauge.set({}, 0);
  }

  taken(): void {
    this.problem = null;
    this.#gauge.set({}, 1);
  }
}
