/** How large a request is, as far as it can be told before anybody is called. */
export interface RequestSize {
  /** Bytes of the body, without the base64 of pictures, sounds and files inside it. */
  readonly textBytes: number;
  /** Bytes of that base64. */
  readonly mediaBytes: number;
  /** Pictures, inside the body or behind an address. */
  readonly pictures: number;
  /** Sounds, films and files, whose length nobody knows without opening them. */
  readonly documents: number;
  readonly output: OutputBound;
}

/** What the client itself says of the length of the answer. */
export type OutputBound =
  /** `max_tokens` or its kind, for each of the answers of `n`. */
  | { readonly kind: 'declared'; readonly tokens: number; readonly choices: number }
  | { readonly kind: 'undeclared'; readonly choices: number }
  /** There is no answer in tokens: embeddings. */
  | { readonly kind: 'none' };
