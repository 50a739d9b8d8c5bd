import type { Fate } from './table.ts';

/** What becomes of one key of the file. */
export interface ReportRow {
  readonly file: string;
  readonly line: number;
  /** `model_list[0].litellm_params.order`. */
  readonly path: string;
  readonly fate: Fate;
  /** What the key does, or why it does nothing. */
  readonly reason: string;
}
