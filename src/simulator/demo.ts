import { failureOfStatus } from './failure.ts';
import { type Fault, statusFault } from './fault.ts';
import type { Ask } from './invent/ask.ts';

/** What the words of the last user message tell the demo model to do. */
export interface DemoOrder {
  readonly faults: readonly Fault[];
  /** Whether an answer with a tool call is wanted although no tools were sent. */
  readonly wantsTool: boolean;
}

/** The model that the gateway's demo asks for, and a second one that obeys no failure words, to fall back to. */
export const DEMO_MODEL = 'demo';
export const DEMO_BACKUP_MODEL = 'demo-backup';

/** How many events a demo stream sends before it is cut or stalls, so that the break is seen. */
const EVENTS_BEFORE_CUT = 3;

/**
 * Reads a demo order out of a message: "fail with 429" (any 4xx or 5xx), "stall", "cut", "tool".
 *
 * Words, not substrings, and only in a user's own message; `demo-backup` obeys "tool" only.
 */
export function demoOrder(ask: Ask): DemoOrder {
  if (!ask.fromUser) return { faults: [], wantsTool: false };
  const text = ask.lastText;
  const wantsTool = /\btools?\b/i.test(text);
  if (ask.model === DEMO_BACKUP_MODEL) return { faults: [], wantsTool };
  const status = Number(/\bfail with ([45]\d\d)\b/i.exec(text)?.[1] ?? 0);
  if (status > 0) return { faults: [failWith(status)], wantsTool: false };
  if (/\bstall\b/i.test(text)) return { faults: [{ kind: 'stall', at: 0, of: 'response' }], wantsTool: false };
  if (/\bcut\b/i.test(text))
    return { faults: [{ kind: 'reset', at: EVENTS_BEFORE_CUT, of: 'events' }], wantsTool: false };
  return { faults: [], wantsTool };
}

function failWith(status: number): Fault {
  return statusFault(failureOfStatus(status), {
    status,
    message: `[simulated] You asked the demo model to fail with ${status}.`,
    retryAfter: status === 429 || status === 503 ? 1000 : null,
  });
}
