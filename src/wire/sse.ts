/**
 * One server-sent event inside the buffer it arrived in.
 *
 * Offsets are valid only during the callback that hands the event over; the object is reused.
 */
export interface SseEvent {
  /** The buffer that holds the whole event. */
  readonly bytes: Buffer;
  /** The event's first byte, comments and blank lines before it excluded. */
  readonly start: number;
  /** One past the blank line that ends it. */
  readonly end: number;
  /** Value of the last `event:` field, or null. */
  readonly name: string | null;
  /** Start of the payload when it stands on one `data:` line, as it nearly always does; else -1 (use `data()`). */
  readonly dataStart: number;
  readonly dataEnd: number;
  /** The payload as text, several `data:` lines joined with a newline. */
  data(): string;
}
