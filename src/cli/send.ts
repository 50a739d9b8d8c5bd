import { seconds } from '../core/units.ts';
import type { Delivery, Receipt } from '../telemetry/export/export-queue.ts';

/** How long a receiver may take to answer; well under the lease of a budget alert's delivery. */
const ANSWER_WITHIN = seconds(10);

/** Sends once to a receiver of alerts or records. Rejects when there is no answer in time. */
export async function send({ method, url, headers, body }: Delivery): Promise<Receipt> {
  const signal = AbortSignal.timeout(ANSWER_WITHIN);
  // A redirect would carry it somewhere that nobody configured.
  const response = await fetch(url, { method, headers: { ...headers }, body, signal, redirect: 'manual' });
  await response.body?.cancel();
  return { status: response.status, retryAfter: response.headers.get('retry-after') };
}
