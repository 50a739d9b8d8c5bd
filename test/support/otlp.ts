/** A span as OTLP/JSON has it, attributes as a plain object. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly traceState: string | null;
  readonly name: string;
  readonly kind: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: { readonly code: number; readonly message: string } | null;
  readonly resource: Readonly<Record<string, unknown>>;
}

/**
 * Reads an `ExportTraceServiceRequest` in OTLP's JSON, and throws at whatever the protocol does not have: unknown members,
 * ids that are no hexadecimal text of their length, 64-bit numbers that are no text, values of more than one type.
 *
 * @see https://github.com/open-telemetry/opentelemetry-proto, trace/v1/trace.proto and common/v1/common.proto
 */
export function readOtlp(text: string): readonly Span[] {
  return listIn(JSON.parse(text), 'resourceSpans', []).flatMap((each) => {
    const { resource } = only(each, ['resource', 'scopeSpans', 'schemaUrl']);
    const shared = attributesIn(only(resource, ['attributes', 'droppedAttributesCount']));
    return listIn(each, 'scopeSpans', ['resource', 'schemaUrl']).flatMap((scopeSpans) => {
      const { scope } = only(scopeSpans, ['scope', 'spans', 'schemaUrl']);
      textIn(only(scope, ['name', 'version', 'attributes', 'droppedAttributesCount']), 'name', /./);
      return listIn(scopeSpans, 'spans', ['scope', 'schemaUrl']).map((span) => readSpan(span, shared));
    });
  });
}

const SPAN_MEMBERS = [
  ...['traceId', 'spanId', 'traceState', 'parentSpanId', 'flags', 'name', 'kind', 'startTimeUnixNano'],
  ...['endTimeUnixNano', 'attributes', 'droppedAttributesCount', 'events', 'links', 'status'],
];

function readSpan(value: unknown, resource: Span['resource']): Span {
  const span = only(value, SPAN_MEMBERS);
  const kind = span.kind;
  if (typeof kind !== 'number' || kind < 1 || kind > 5) throw new Error(`no kind of span: ${String(kind)}`);
  const start = BigInt(textIn(span, 'startTimeUnixNano', /^\d{19}$/));
  const end = BigInt(textIn(span, 'endTimeUnixNano', /^\d{19}$/));
  if (end < start) throw new Error('a span ends before it starts');
  return {
    traceId: textIn(span, 'traceId', /^(?!0+$)[0-9a-f]{32}$/),
    spanId: textIn(span, 'spanId', /^(?!0+$)[0-9a-f]{16}$/),
    parentSpanId: span.parentSpanId === undefined ? null : textIn(span, 'parentSpanId', /^(?!0+$)[0-9a-f]{16}$/),
    traceState: span.traceState === undefined ? null : textIn(span, 'traceState', /=/),
    name: textIn(span, 'name', /./),
    ...{ kind, start, end, attributes: attributesIn(span), resource },
    status: span.status === undefined ? null : statusOf(span.status),
  };
}

function statusOf(value: unknown): NonNullable<Span['status']> {
  const status = only(value, ['code', 'message']);
  if (status.code !== 1 && status.code !== 2) throw new Error('no code of a status');
  return { code: status.code, message: textIn(status, 'message', /^/) };
}

function attributesIn(holder: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  if (!Array.isArray(holder.attributes)) throw new Error('attributes are no list');
  for (const each of holder.attributes) {
    const pair = only(each, ['key', 'value']);
    const key = textIn(pair, 'key', /./);
    if (Object.hasOwn(found, key)) throw new Error(`two attributes ${key}`);
    found[key] = anyValue(pair.value);
  }
  return found;
}

function anyValue(value: unknown): unknown {
  const holder = only(value, ['stringValue', 'boolValue', 'intValue', 'doubleValue', 'arrayValue']);
  const [[type, held] = [], ...others] = Object.entries(holder);
  if (others.length > 0) throw new Error('a value of two types');
  switch (type) {
    case 'stringValue':
      return textIn(holder, type, /^/);
    case 'intValue':
      return Number(textIn(holder, type, /^-?\d+$/));
    case 'boolValue':
      if (typeof held !== 'boolean') throw new Error('no boolean');
      return held;
    case 'doubleValue':
      if (typeof held !== 'number') throw new Error('no double');
      return held;
    case 'arrayValue':
      return listIn(held, 'values', []).map(anyValue);
    default:
      throw new Error('a value without a type');
  }
}

function only(value: unknown, members: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('no object');
  for (const key of Object.keys(value)) if (!members.includes(key)) throw new Error(`unknown member ${key}`);
  return value as Record<string, unknown>;
}

function listIn(value: unknown, member: string, others: readonly string[]): readonly unknown[] {
  const list = only(value, [member, ...others])[member];
  if (!Array.isArray(list)) throw new Error(`${member} is no list`);
  return list;
}

function textIn(holder: Readonly<Record<string, unknown>>, member: string, pattern: RegExp): string {
  const text = holder[member];
  if (typeof text !== 'string' || !pattern.test(text)) throw new Error(`${member} is ${JSON.stringify(text)}`);
  return text;
}
