import { crc32 } from 'node:zlib';
import type { Cost } from '../core/cost.ts';
import type { BegunRequest, LedgerEntry } from '../core/ledger-entry.ts';
import type { NanoUsd } from '../core/units.ts';

/*
 * Records of the journal, as bytes.
 *
 *    0  u32  magic 1E 54 4C 00
 *    4  u32  length of the payload
 *    8  u32  CRC-32 of the payload (IEEE, as in zlib: native and 70 ns a kilobyte)
 *   12       payload: a letter for kind and version, then JSON in UTF-8, money as decimal strings
 *
 * Numbers are little-endian.
 *
 * 1. No payload contains the magic: JSON escapes control characters. So whatever a client writes into a label, a scan
 *    that lost its place finds true records only.
 * 2. No payload is longer than MOST_PAYLOAD, so one that claims to be is damaged.
 */

export type JournalRecord =
  | { readonly kind: 'entry'; readonly entry: LedgerEntry }
  | { readonly kind: 'begun'; readonly begun: BegunRequest };

/** A stretch of a journal: a record, or bytes that are none. */
export type Piece = (JournalRecord | { readonly kind: 'damaged' }) & { readonly start: number; readonly end: number };

const MAGIC_BYTES = Buffer.from([0x1e, 0x54, 0x4c, 0x00]);
const MAGIC = MAGIC_BYTES.readUInt32LE(0);
const HEADER = 12;
export const MOST_PAYLOAD = 128 * 1024;
/** Text and lists of a request that would not fit are cut to so much; money and ids of ours are never cut. */
const MOST_TEXT = 100;
const MOST_ITEMS = 16;

/** An entry as a journal keeps it, and its payload. Labels are cut when it would be too long. */
export function storableEntry(entry: LedgerEntry): { readonly entry: LedgerEntry; readonly payload: string } {
  const payload = `E${JSON.stringify({ ...entry, cost: costText(entry.cost) })}`;
  return fits(payload) ? { entry, payload } : storableEntry(cut(entry));
}

/** The payload of an entry. */
export function entryPayload(entry: LedgerEntry): string {
  return storableEntry(entry).payload;
}

/** The payload of a request that begins; labels are cut when it would be too long. */
export function begunPayload(begun: BegunRequest): string {
  const { requestId, callId, principal, endpoint, requestedModel, isStreaming, startedAt, user, tags, payer } = begun;
  const { requesterAddress, session } = begun;
  const names = { requestId, callId, principal, endpoint, requestedModel, isStreaming, startedAt, user, tags, payer };
  const client = { requesterAddress, session };
  // Member by member: the caller's object may be a wider one.
  const payload = `B${JSON.stringify({ ...names, ...client, estimate: String(begun.estimate) })}`;
  return fits(payload) ? payload : begunPayload(cut(begun));
}

/** The most bytes that the record of a payload may take. */
export function mostBytes(payload: string): number {
  return HEADER + payload.length * 3;
}

/**
 * Writes the record of a payload into a buffer that has room for `mostBytes` of it.
 *
 * @returns where the record ends
 */
export function writeRecord(buffer: Buffer, at: number, payload: string): number {
  const length = buffer.write(payload, at + HEADER);
  const end = at + HEADER + length;
  buffer.writeUInt32LE(MAGIC, at);
  buffer.writeUInt32LE(length, at + 4);
  buffer.writeUInt32LE(crc32(buffer.subarray(at + HEADER, end)), at + 8);
  return end;
}

/** The payload of the record that fills this buffer from its start; null when there is no whole one. */
export function payloadOf(bytes: Buffer): string | null {
  const end = recordEnd(bytes, 0);
  return typeof end === 'number' ? bytes.toString('utf8', HEADER, end) : null;
}

/**
 * Cuts bytes into records and damage, in order and without gaps.
 *
 * @param rest whether the bytes may end in the middle of a record whose rest is still to be read
 * @returns the pieces; what follows the last one is to be given again, with more behind it
 */
export function scan(bytes: Buffer, rest: 'follows' | 'none'): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = recordEnd(bytes, at);
    if (end === 'incomplete' && rest === 'follows') break;
    if (typeof end === 'number') {
      pieces.push({ ...decode(bytes.toString('utf8', at + HEADER, end)), start: at, end });
      at = end;
      continue;
    }
    const next = resynchronise(bytes, at + 1, rest);
    pieces.push({ kind: 'damaged', start: at, end: next });
    at = next;
  }
  return pieces;
}

/** Where the next record begins, or may begin when its rest is still to be read. */
function resynchronise(bytes: Buffer, from: number, rest: 'follows' | 'none'): number {
  for (let at = bytes.indexOf(MAGIC_BYTES, from); at >= 0; at = bytes.indexOf(MAGIC_BYTES, at + 1)) {
    const end = recordEnd(bytes, at);
    if (typeof end === 'number' || (end === 'incomplete' && rest === 'follows')) return at;
  }
  // The last three bytes may be the beginning of a magic.
  return rest === 'none' ? bytes.length : Math.max(from, bytes.length - 3);
}

function recordEnd(bytes: Buffer, at: number): number | 'incomplete' | 'damaged' {
  if (at + HEADER > bytes.length) return 'incomplete';
  if (bytes.readUInt32LE(at) !== MAGIC) return 'damaged';
  const length = bytes.readUInt32LE(at + 4);
  if (length > MOST_PAYLOAD) return 'damaged';
  const end = at + HEADER + length;
  if (end > bytes.length) return 'incomplete';
  return crc32(bytes.subarray(at + HEADER, end)) === bytes.readUInt32LE(at + 8) ? end : 'damaged';
}

/** A payload of a kind that this version does not know is damage too: it is kept for the version that does. */
function decode(payload: string): JournalRecord | { readonly kind: 'damaged' } {
  // The checksum proves that these bytes are what one of the two functions above wrote.
  if (payload[0] === 'E') return { kind: 'entry', entry: entryOf(payload.slice(1)) };
  if (payload[0] === 'B') return { kind: 'begun', begun: begunOf(payload.slice(1)) };
  return { kind: 'damaged' };
}

type CostText =
  | { readonly kind: 'known'; readonly total: string }
  | { readonly kind: 'unknown'; readonly assumed: string };

function costText(cost: Cost | null): CostText | null {
  if (cost === null) return null;
  return cost.kind === 'known'
    ? { kind: 'known', total: String(cost.total) }
    : { kind: 'unknown', assumed: String(cost.assumed) };
}

function entryOf(json: string): LedgerEntry {
  const { cost, ...rest } = JSON.parse(json) as Omit<LedgerEntry, 'cost'> & { readonly cost: CostText | null };
  return { ...rest, cost: cost === null ? null : costOf(cost) };
}

function costOf(cost: CostText): Cost {
  return cost.kind === 'known'
    ? { kind: 'known', total: BigInt(cost.total) as NanoUsd }
    : { kind: 'unknown', assumed: BigInt(cost.assumed) as NanoUsd };
}

function begunOf(json: string): BegunRequest {
  const { estimate, ...rest } = JSON.parse(json) as Omit<BegunRequest, 'estimate'> & { readonly estimate: string };
  return { ...rest, estimate: BigInt(estimate) as NanoUsd };
}

function fits(payload: string): boolean {
  return payload.length * 3 <= MOST_PAYLOAD || Buffer.byteLength(payload) <= MOST_PAYLOAD;
}

/** The same value with every text and list in it cut; ids of ours are far shorter than the cut. */
function cut<T>(value: T): T {
  if (typeof value === 'string') return value.slice(0, MOST_TEXT) as T;
  if (Array.isArray(value)) return value.slice(0, MOST_ITEMS).map(cut) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, cut(each)])) as T;
}
