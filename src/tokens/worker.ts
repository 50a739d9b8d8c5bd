import { type Count, countLongest } from './count.ts';
import type { EncodingName } from './encoding.ts';
import type { CountAnswer, CountJob } from './worker-counter.ts';

/** Words whose merges are remembered; the package's own 100,000 would cost more memory than the vocabulary. */
const MERGE_CACHE = 10_000;
/** A prompt that speaks of special tokens is text like any other. */
const AS_TEXT = { disallowedSpecial: new Set<string>() };

const loaded = new Map<EncodingName, Count>();

/** Vocabularies are some 40 MB each in memory: each is loaded when first asked for. */
async function load(name: EncodingName): Promise<void> {
  if (loaded.has(name)) return;
  const { countTokens, setMergeCacheSize } = await vocabulary(name);
  setMergeCacheSize(MERGE_CACHE);
  loaded.set(name, (text) => countTokens(text, AS_TEXT));
}

function vocabulary(name: EncodingName) {
  switch (name) {
    case 'o200k_base':
      return import('gpt-tokenizer/encoding/o200k_base');
    case 'cl100k_base':
      return import('gpt-tokenizer/encoding/cl100k_base');
  }
}

async function answer({ id, prompts, measures, enough }: CountJob): Promise<CountAnswer> {
  for (const { encoding } of measures) await load(encoding);
  return { id, tokens: countLongest(prompts, measures, enough, loaded) };
}

declare const self: Worker;

self.onmessage = (event: MessageEvent<CountJob>) => {
  // What fails here fails the worker: its owner hears of that and goes on without a count.
  void answer(event.data).then((message) => self.postMessage(message));
};
