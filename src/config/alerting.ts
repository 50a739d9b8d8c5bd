import { Secret } from '../core/secret.ts';
import { ALERT_TYPES, type AlertSettings, type AlertType } from '../core/telemetry-settings.ts';
import { seconds } from '../core/units.ts';
import { type Environment, firstVariable } from './environment.ts';
import type { Findings } from './findings.ts';
import { isHttp } from './http-address.ts';
import type { ConfigFile } from './keys/root.ts';
import { keyPlace, type MapTree, NOWHERE } from './tree.ts';

/** What it is compiled from. */
interface Sources {
  readonly file: ConfigFile;
  readonly tree: MapTree;
  readonly environment: Environment;
  readonly findings: Findings;
}

const CHANNELS = ['slack', 'webhook'];
/** LiteLLM's, as the others below (litellm.md §1.9 and §9.3). */
const SLOW_SECONDS = 300;

/** Who is alerted of what, or null: of an address that is none it warns and does without. */
export function compileAlerting(sources: Sources): AlertSettings | null {
  const general = sources.file.general_settings ?? {};
  const channels = new Set(general.alerting ?? []);
  const warn = (key: string, message: string) => {
    const path = ['general_settings', key];
    // A line of addresses is not repeated: whoever knows one may post to it.
    const at = key === 'alert_to_webhook_url' ? NOWHERE : keyPlace(sources.tree, path);
    sources.findings.add('warning', at, path, message);
  };
  for (const name of channels)
    if (!CHANNELS.includes(name)) warn('alerting', `${name} is not honoured: alerts go to slack and webhook only.`);
  const slackByType = addressesByType(general.alert_to_webhook_url ?? {}, warn);
  const slack = channels.has('slack') ? addressOf(sources, ['SLACK_WEBHOOK_URL'], slackByType.size > 0, warn) : null;
  const webhook = channels.has('webhook')
    ? addressOf(sources, ['LITELLM_BUDGET_ALERT_WEBHOOK', 'WEBHOOK_URL'], false, warn)
    : null;
  if (slack === null && webhook === null && (slackByType.size === 0 || !channels.has('slack'))) return null;
  const given = general.alerting_args ?? {};
  return {
    ...{ slack, webhook, slackByType, types: alertTypes(general.alert_types, warn) },
    slowAfter: seconds(general.alerting_threshold ?? SLOW_SECONDS),
    dailyReportEvery: seconds(given.daily_report_frequency ?? 43_200),
    budgetTtl: seconds(given.budget_alert_ttl ?? 86_400),
    outageTtl: seconds(given.outage_alert_ttl ?? 60),
    minorOutage: given.minor_outage_alert_threshold ?? 5,
    majorOutage: given.major_outage_alert_threshold ?? 10,
  };
}

type Warn = (key: string, message: string) => void;

function addressOf({ environment }: Sources, names: readonly string[], hasOthers: boolean, warn: Warn): Secret | null {
  const found = firstVariable(environment, names);
  if (found !== null && isHttp(found.value)) return new Secret(found.value);
  if (found !== null) warn('alerting', `${found.name} is no address that starts with http:// or https://.`);
  else if (!hasOthers) warn('alerting', `${names.join(' or ')} is not set, so that no alert goes there.`);
  return null;
}

const isAlertType = (name: string): name is AlertType => (ALERT_TYPES as readonly string[]).includes(name);

function alertTypes(named: readonly string[] | undefined, warn: Warn): ReadonlySet<AlertType> {
  const unknown = (named ?? []).filter((name) => !isAlertType(name));
  if (unknown.length > 0)
    warn('alert_types', `Not honoured: ${unknown.join(', ')}. Honoured: ${ALERT_TYPES.join(', ')}.`);
  return new Set((named ?? ALERT_TYPES).filter(isAlertType));
}

function addressesByType(
  map: Readonly<Record<string, string | readonly string[]>>,
  warn: Warn,
): ReadonlyMap<AlertType, readonly Secret[]> {
  const found = new Map<AlertType, readonly Secret[]>();
  for (const [type, value] of Object.entries(map)) {
    const addresses = typeof value === 'string' ? [value] : value;
    if (!isAlertType(type)) warn('alert_to_webhook_url', `${type} is no type of alert that is honoured.`);
    else if (!addresses.every(isHttp)) warn('alert_to_webhook_url', `The address for ${type} is none.`);
    else
      found.set(
        type,
        addresses.map((each) => new Secret(each)),
      );
  }
  return found;
}
