import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';

/** A body that arrives compressed although it was not asked for, made plain as it comes. */
export interface Decompressor {
  push(bytes: Buffer): void;
  end(): void;
  /** Gives up what has not been made plain yet. */
  destroy(): void;
}

export interface DecompressorHandlers {
  onData(bytes: Buffer): void;
  onEnd(): void;
  onError(message: string): void;
}

/** A decompressor for one content coding, or null for a coding we do not know. */
export function decompressor(coding: string, handlers: DecompressorHandlers): Decompressor | null {
  const stream = streamFor(coding.trim().toLowerCase());
  if (stream === null) return null;
  stream.on('data', (bytes: Buffer) => handlers.onData(bytes));
  stream.on('end', () => handlers.onEnd());
  stream.on('error', (error: Error) => handlers.onError(`compressed body cannot be read: ${error.message}`));
  return {
    push: (bytes) => void stream.write(bytes),
    end: () => void stream.end(),
    destroy: () => void stream.destroy(),
  };
}

function streamFor(coding: string) {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'deflate':
      return createInflate();
    case 'br':
      return createBrotliDecompress();
    default:
      return null;
  }
}
