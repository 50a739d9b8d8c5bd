/**
 * What a `retry-after` header asks for, in seconds or as a date.
 *
 * @param now what the clock says that the date is read against; null: dates cannot be read
 * @returns milliseconds, which may be in the past; null when it says nothing usable
 */
export function retryAfterHeader(value: string | null, now: number | null): number | null {
  const inSeconds = decimal(value);
  if (inSeconds !== null) return inSeconds * 1000;
  const until = httpDate(value);
  return until === null || now === null ? null : until - now;
}

/** A number without a sign, blanks around it allowed. */
export function decimal(value: string | null): number | null {
  return value !== null && /^\s*\d+(?:\.\d+)?\s*$/.test(value) ? Number(value) : null;
}

/** Only the form that RFC 9110 tells senders to use; other dates would be read in the machine's time zone. */
export function httpDate(value: string | null): number | null {
  if (value === null || !/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(value)) return null;
  const time = Date.parse(value);
  return Number.isNaN(time) ? null : time;
}
