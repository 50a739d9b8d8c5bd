import type { HeaderPair } from '../core/http.ts';
import type { Json } from '../core/json.ts';
import { type Answer, jsonAnswer } from './answer.ts';
import { FaultSyntax } from './fault.ts';
import { publicRecord, type RequestLog } from './request-log.ts';
import type { RawRequest } from './request-reader.ts';
import { type ActiveRule, type RuleBook, ruleFromJson } from './rules.ts';

/** Paths below this are for the operator of the simulator, not for clients. */
export const ADMIN_PREFIX = '/_simulator';

const NO_HEADERS: readonly HeaderPair[] = [];

/** What the admin calls act on. */
export interface AdminTarget {
  readonly rules: RuleBook;
  readonly log: RequestLog;
  /** Stops listening for that many milliseconds; 0: until it is started again by its owner. */
  refuse(time: number): void;
}

/**
 * Answers an admin call.
 *
 * `POST /faults` adds a rule, `GET /faults` lists them, `DELETE /faults[/id]` takes them out; `GET /requests` and
 * `DELETE /requests` are the log; `DELETE /` is a clean start.
 */
export function answerAdmin(raw: RawRequest, target: AdminTarget): Answer {
  const [path = ''] = raw.target.split('?');
  const [, , what = '', id] = path.split('/');
  switch (`${raw.method} ${what}`) {
    case 'GET ':
    case 'GET health':
      return ok({ status: 'ok' });
    case 'DELETE ':
      target.rules.clear();
      target.log.clear();
      return ok({ reset: true });
    case 'POST faults':
      return addRule(raw, target);
    case 'GET faults':
      return ok({ faults: target.rules.list().map(ruleToJson) });
    case 'DELETE faults':
      return removeRules(id, target);
    case 'GET requests':
      return ok({ requests: target.log.records.map(publicRecord) });
    case 'DELETE requests':
      target.log.clear();
      return ok({ requests: [] });
    default:
      return complaint(404, `no such call: ${raw.method} ${path}`);
  }
}

function addRule(raw: RawRequest, target: AdminTarget): Answer {
  try {
    const rule = ruleFromJson(JSON.parse(raw.body.toString('utf8')) as Json);
    const refusal = rule.faults.find((fault) => fault.kind === 'refuse');
    if (refusal !== undefined) {
      target.refuse(refusal.time);
      return ok({ refusing_for_ms: refusal.time });
    }
    return ok({ id: target.rules.add(rule) });
  } catch (error) {
    if (error instanceof FaultSyntax || error instanceof SyntaxError) return complaint(400, error.message);
    throw error;
  }
}

function removeRules(id: string | undefined, target: AdminTarget): Answer {
  if (id === undefined || id === '') {
    target.rules.clear();
    return ok({ faults: [] });
  }
  return target.rules.remove(Number(id)) ? ok({ removed: Number(id) }) : complaint(404, `no rule ${id}`);
}

function ruleToJson(rule: ActiveRule): Json {
  const { id, faults, match, skip, times, seen } = rule;
  return { id, faults: faults as unknown as Json, match: { ...match }, skip, times, seen }; // plain data, made by us
}

function ok(body: Json): Answer {
  return jsonAnswer(200, NO_HEADERS, body, 2);
}

function complaint(status: number, message: string): Answer {
  return jsonAnswer(status, NO_HEADERS, { error: { message } }, 2);
}
