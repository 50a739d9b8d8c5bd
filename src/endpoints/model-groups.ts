import type { JsonObject } from '../core/json.ts';
import { numberMember } from '../core/json.ts';
import type { ModelSight } from '../core/model-access.ts';
import type { Deployment, ModelGroup, Snapshot } from '../core/snapshot.ts';
import type { EpochMillis } from '../core/units.ts';
import { shownPrices } from '../metering/price-keys.ts';
import { shownName } from './models.ts';

/** What `model_info` says of a model's abilities, as LiteLLM lists them of a group (litellm.md §3.3). */
const ABILITIES = [
  'supports_parallel_function_calling',
  'supports_vision',
  'supports_web_search',
  'supports_url_context',
  'supports_reasoning',
  'supports_function_calling',
] as const;

/**
 * `GET /model_group/info`: what is known of the model groups that the caller may ask for, over all their deployments:
 * the longest window, the highest price, the sum of the limits.
 *
 * A wildcard group is listed by its pattern: nobody knows every model of a provider.
 *
 * @param only this group alone, or null
 */
export function modelGroups(
  { groups, wildcards }: Snapshot,
  only: string | null,
  { sight, now }: { readonly sight: ModelSight; readonly now: EpochMillis },
): { readonly data: readonly JsonObject[] } {
  const all: readonly ModelGroup[] = [...groups.values(), ...wildcards];
  const seen = all.filter((group) => (only === null || shownName(group) === only) && sight.may(group.name));
  return { data: seen.map((group) => groupInfo(group, now)) };
}

function groupInfo(group: ModelGroup, now: EpochMillis): JsonObject {
  const { deployments } = group;
  const prices = deployments.map(({ price }) => (price === null ? {} : shownPrices(price, now)));
  const dearest = (key: string) => highest(prices.map((each) => each[key] ?? null));
  const said = deployments.map(({ info }) => info);
  return {
    model_group: shownName(group),
    providers: [...new Set(deployments.map(({ provider }) => provider))],
    max_input_tokens: highest(deployments.map(({ maxInputTokens }) => maxInputTokens)),
    max_output_tokens: highest(deployments.map(({ maxOutputTokens }) => maxOutputTokens)),
    input_cost_per_token: dearest('input_cost_per_token'),
    output_cost_per_token: dearest('output_cost_per_token'),
    input_cost_per_pixel: highest(said.map((info) => numberMember(info, 'input_cost_per_pixel'))),
    mode: said.map(({ mode }) => mode).find((mode) => typeof mode === 'string') ?? null,
    tpm: sumOf(deployments.map(({ tpm }) => tpm)),
    rpm: sumOf(deployments.map(({ rpm }) => rpm)),
    ...Object.fromEntries(ABILITIES.map((ability) => [ability, said.some((info) => info[ability] === true)])),
    supported_openai_params: null,
    configurable_clientside_auth_params: null,
  };
}

type Count = Deployment['rpm'];

const known = (values: readonly Count[]): readonly number[] => values.filter((value) => value !== null);

function highest(values: readonly Count[]): Count {
  const numbers = known(values);
  return numbers.length === 0 ? null : Math.max(...numbers);
}

function sumOf(values: readonly Count[]): Count {
  const numbers = known(values);
  return numbers.length === 0 ? null : numbers.reduce((sum, value) => sum + value, 0);
}
