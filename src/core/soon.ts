/**
 * A value that is there already, or a promise of it.
 *
 * What is nearly always there (a key in memory, a body that came with its head) costs no promise then, and no turn.
 */
export type Soon<T> = T | Promise<T>;

/** Goes on with the value: at once when it is there. */
export function whenThere<T, U>(value: Soon<T>, next: (value: T) => Soon<U>): Soon<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
