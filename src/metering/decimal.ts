import { type PicoUsd, picoUsd } from '../core/units.ts';

const PICO_DIGITS = 12;
const SHARE_DIGITS = 9;

/**
 * A price as files write it, in US dollars, without the error of binary fractions: 1.25e-8 is 12,500 pico-USD.
 *
 * What is finer than a pico-USD is rounded up, so that no price becomes zero.
 *
 * @param usd 0 or more, at most 9000; the shortest decimal that means this double is taken, which is the one in the file
 */
export function priceOf(usd: number): PicoUsd {
  return picoUsd(Number(scaled(usd, PICO_DIGITS)));
}

/** A share as files write it, 0.05 for five percent, in billionths; what is finer is rounded up. */
export function shareOf(fraction: number): bigint {
  return scaled(fraction, SHARE_DIGITS);
}

/** The value times 10^digits, rounded up to a whole number. */
function scaled(value: number, digits: number): bigint {
  const [mantissa = '0', exponent = '0'] = value.toExponential().split('e');
  const [whole = '0', fraction = ''] = mantissa.split('.');
  const shift = Number(exponent) - fraction.length + digits;
  const significant = BigInt(whole + fraction);
  if (shift >= 0) return significant * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  return (significant + divisor - 1n) / divisor;
}
