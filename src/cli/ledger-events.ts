import type { LedgerEvent, LedgerObserver } from '../ledger/ports.ts';
import type { LedgerMetrics } from '../telemetry/ledger-metrics.ts';
import type { Logger } from '../telemetry/log.ts';

/** Tells log and metrics what the ledger goes through. */
export function ledgerObserver(log: Logger, metrics: LedgerMetrics): LedgerObserver {
  return (event) => {
    count(metrics, event);
    tell(log, event);
  };
}

function count(metrics: LedgerMetrics, event: LedgerEvent): void {
  switch (event.kind) {
    case 'synced':
      metrics.synced(event.duration);
      break;
    case 'written':
      metrics.written(event.written, event.duplicates);
      break;
    case 'dead-letter':
      metrics.deadLetter();
      break;
    case 'lost':
      metrics.lost(event.requests);
      break;
    case 'store-failed':
      metrics.storeFailed();
      break;
    case 'damaged':
      metrics.damaged();
      break;
    case 'refusing':
    case 'accepting':
    case 'adopted':
    case 'emptied':
    case 'unreadable':
    case 'store-recovered':
  }
}

function tell(log: Logger, event: LedgerEvent): void {
  switch (event.kind) {
    case 'refusing':
      log.error('new requests are refused: their records could not be kept', {
        reason: event.reason,
        detail: event.message,
      });
      break;
    case 'accepting':
      log.info('new requests are accepted again');
      break;
    case 'damaged':
      log.error('a journal has bytes that are no record', { ...event.damage, copy: event.copy });
      break;
    case 'adopted':
      log.info('the journal of a process that is gone is taken over', { run: event.run });
      break;
    case 'emptied':
      log.info('the journal of a process that is gone is in the store', { run: event.run });
      break;
    case 'unreadable':
      log.error('a journal cannot be read to its end; it stays and is tried again', { reason: event.reason });
      break;
    case 'lost':
      log.warn('requests died with their process and are recorded as lost', {
        requests: event.requests,
        run: event.run,
      });
      break;
    case 'dead-letter':
      log.error('an entry of the ledger is not taken by the store and was put aside', {
        request_id: event.requestId,
        reason: event.reason,
      });
      break;
    case 'store-failed':
      log.warn('the store takes no entries; they wait in the journal', {
        reason: event.reason,
        retry_in_ms: Math.round(event.retryIn),
      });
      break;
    case 'store-recovered':
      log.info('the store takes entries again');
      break;
    case 'synced':
    case 'written':
  }
}
