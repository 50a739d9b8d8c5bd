import { hash } from 'node:crypto';

/** The hash by which rows know a key, from a request's field: the key in clear, or the hash itself. */
export const askedKey = (key: string): string => (key.startsWith('sk-') ? hash('sha256', key) : key);
