const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/**
 * Whether the bytes are complete zstd frames, down to the last block.
 *
 * Needed because Bun 1.4.5 decodes a frame that is cut short without an error, to fewer bytes or none.
 *
 * @see RFC 8878 §3.1 (frames, blocks, skippable frames)
 */
export function isWholeZstd(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at !== -1 && at < bytes.length) at = endOfFrame(view, at);
  return at === bytes.length && at > 0;
}

/** Position after the frame at `at`, or -1. */
function endOfFrame(view: DataView, at: number): number {
  if (at + 8 > view.byteLength) return -1;
  const magic = view.getUint32(at, true);
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) return within(view, at + 8 + view.getUint32(at + 4, true));
  if (magic !== FRAME_MAGIC) return -1;
  const descriptor = view.getUint8(at + 4);
  const blocksEnd = endOfBlocks(view, at + 5 + headerFields(descriptor));
  const checksum = (descriptor & 4) === 0 ? 0 : 4;
  return blocksEnd < 0 ? -1 : within(view, blocksEnd + checksum);
}

/** Bytes of window descriptor, dictionary id and content size that follow the frame's descriptor. */
function headerFields(descriptor: number): number {
  const isSingleSegment = (descriptor & 32) !== 0;
  const sizeFlag = descriptor >> 6;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  const contentSize = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  return (isSingleSegment ? 0 : 1) + dictionary + contentSize;
}

function endOfBlocks(view: DataView, from: number): number {
  let at = from;
  while (at + 3 <= view.byteLength) {
    const header = view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
    const type = (header >> 1) & 3;
    if (type === RESERVED_BLOCK) return -1;
    at += 3 + (type === RLE_BLOCK ? 1 : header >> 3);
    if ((header & 1) === 1) return within(view, at);
  }
  return -1;
}

const within = (view: DataView, end: number): number => (end <= view.byteLength ? end : -1);
