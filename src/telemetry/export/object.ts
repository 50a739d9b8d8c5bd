import type { LedgerEntry } from '../../core/ledger-entry.ts';
import type { BucketSettings } from '../../core/telemetry-settings.ts';
import type { Delivery } from './export-queue.ts';
import { encodedPart, signedHeaders } from './sigv4.ts';
import { standardPayload } from './standard-payload.ts';

/** The upload of one request's payload, signed for this moment. @param now milliseconds since 1970 */
export function objectUpload(
  entry: LedgerEntry,
  traceId: string | null,
  bucket: BucketSettings,
  now: number,
): Delivery {
  const body = JSON.stringify(standardPayload(entry, traceId));
  const url = new URL(addressOf(bucket, objectKey(entry, bucket)));
  const headers = { 'content-type': 'application/json' };
  const signed = signedHeaders({ method: 'PUT', url, headers, body }, bucket, now);
  return { method: 'PUT', url: url.href, headers: signed, body };
}

/**
 * `PATH/TEAM/2026-11-23/time-08-15-30-123000_ID.json`, as LiteLLM names its objects, in UTC.
 *
 * The id is ours and not the client's label, so that no client can overwrite what another left.
 */
export function objectKey(entry: LedgerEntry, { path, usesTeamPrefix }: BucketSettings): string {
  const [day, time = ''] = new Date(entry.startedAt).toISOString().split('T');
  const [clock, thousandths = '000'] = time.replace('Z', '').split('.');
  const folder = path === '' ? '' : `${path.replace(/\/+$/, '')}/`;
  const team = usesTeamPrefix && entry.payer.teamId !== null ? `${entry.payer.teamId}/` : '';
  return `${folder}${team}${day}/time-${clock?.replaceAll(':', '-')}-${thousandths}000_${entry.requestId}.json`;
}

/** Amazon's own store names the bucket in the host, others in the path. */
function addressOf({ endpoint, name, region }: BucketSettings, key: string): string {
  const path = key.split('/').map(encodedPart).join('/');
  return endpoint === null
    ? `https://${name}.s3.${region}.amazonaws.com/${path}`
    : `${endpoint}/${encodedPart(name)}/${path}`;
}
