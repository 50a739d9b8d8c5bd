/**
 * Units of the gateway: numbers that the compiler keeps apart.
 *
 * Durations and points in time are `Millis`; money is integer (`PicoUsd` for prices, `NanoUsd` for sums).
 */

declare const unit: unique symbol;
type Unit<Base, Name extends string> = Base & { readonly [unit]: Name };

/** Milliseconds: a duration, or a point on the monotonic clock. Fractions are allowed. */
export type Millis = Unit<number, 'millis'>;

/** Milliseconds since 1970-01-01 UTC. Only for records and headers, never for durations. */
export type EpochMillis = Unit<number, 'epoch-millis'>;

/** A price: 10⁻¹² US dollars for one token, request or search; a safe integer. */
export type PicoUsd = Unit<number, 'pico-usd'>;

/** A sum: 10⁻⁹ US dollars. */
export type NanoUsd = Unit<bigint, 'nano-usd'>;

/** Names a number as milliseconds. */
export const millis = (value: number): Millis => value as Millis;

/** Milliseconds from seconds, as configuration files give them. */
export const seconds = (value: number): Millis => (value * 1000) as Millis;

/** Names a number as wall-clock milliseconds. */
export const epochMillis = (value: number): EpochMillis => value as EpochMillis;

/** The earlier of two points in time, or the shorter of two durations. */
export const earliest = (a: Millis, b: Millis): Millis => (a < b ? a : b);

/** The later of two points in time, or the longer of two durations. */
export const latest = (a: Millis, b: Millis): Millis => (a > b ? a : b);

/** `a + b`, which TypeScript would otherwise widen to a plain number. */
export const plus = (a: Millis, b: Millis): Millis => (a + b) as Millis;

/** `a - b`, which may be negative. */
export const minus = (a: Millis, b: Millis): Millis => (a - b) as Millis;

/** Names a whole number of 10⁻¹² US dollars. */
export const picoUsd = (value: number): PicoUsd => value as PicoUsd;

/** Names a whole number of 10⁻⁹ US dollars. */
export const nanoUsd = (value: bigint): NanoUsd => value as NanoUsd;

/** A price as configuration files and `/model/info` write it: US dollars, the double nearest to the decimal. */
export const dollars = (price: PicoUsd): number => price / 1e12;

/** The sum in US dollars, exact, without trailing zeros: `0.0123`. */
export function usd(value: NanoUsd): string {
  const digits = (value < 0n ? -value : value).toString().padStart(10, '0');
  const fraction = digits.slice(-9).replace(/0+$/, '');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -9)}${fraction === '' ? '' : `.${fraction}`}`;
}
