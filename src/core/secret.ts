const inspect = Symbol.for('nodejs.util.inspect.custom');

/**
 * A credential that cannot be printed by accident.
 *
 * String conversion, JSON and inspection all give `[redacted]`; only `reveal()` gives the value, so that a search
 * for that word lists every place where a credential leaves.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The credential itself: for the header that carries it, and for nothing else. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [inspect](): string {
    return '[redacted]';
  }
}

/**
 * Text with everything that looks like a credential replaced by `[redacted]`.
 *
 * For words that come from outside (a provider's error, a URL): providers repeat a masked form of the key they
 * refused, as OpenAI's 401 does (recorded 2025).
 */
export function redact(text: string): string {
  return (
    text
      .replace(/\b(sk|pk|gsk|xai|key|rk)-[A-Za-z0-9_*.…-]{3,}[A-Za-z0-9_*-]/g, '[redacted]')
      .replace(/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, '$1 [redacted]')
      .replace(/([?&](?:key|api[-_]?key|token|sig)=)[^&\s"]+/gi, '$1[redacted]')
      // Bounded, so that a long text without asterisks costs no more than its length.
      .replace(/[A-Za-z0-9]{2,32}\*{4,}[A-Za-z0-9]*/g, '[redacted]')
  );
}
