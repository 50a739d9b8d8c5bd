import { Alerter, type Webhook } from '../control/alerts/alerter.ts';
import type { BudgetAlert } from '../metering/budget.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../telemetry/log.ts';
import { systemClock } from '../transport/system-clock.ts';
import type { Io } from './io.ts';
import { send } from './send.ts';

/** Who is told of budgets that passed a mark. */
export interface Alerts {
  tell(alert: BudgetAlert): void;
  close(): void;
}

/** Alerts go to `LITELLM_BUDGET_ALERT_WEBHOOK`, or `WEBHOOK_URL` as in LiteLLM; without either to nobody. */
export function openAlerts(store: Store, env: Io['env'], log: Logger): Alerts {
  const webhook = webhookOf(env);
  if (webhook === null) return { tell() {}, close() {} };
  const alerter = new Alerter({
    store,
    webhook,
    clock: systemClock,
    random: Math.random,
    post: async (url, headers, body) => (await send({ method: 'POST', url, headers, body })).status,
    log: {
      failed: (alert, reason) => log.warn('a budget alert was not delivered; it is sent again', { alert, reason }),
      lost: (alert, reason) => log.error('a budget alert is given up', { alert, reason }),
    },
  });
  alerter.start();
  return alerter;
}

function webhookOf(env: Io['env']): Webhook | null {
  const url = [env.LITELLM_BUDGET_ALERT_WEBHOOK, env.WEBHOOK_URL].find((each) => each !== undefined && each !== '');
  const key = env.LITELLM_BUDGET_ALERT_SECRET ?? '';
  return url === undefined ? null : { url, key: key === '' ? null : key };
}
