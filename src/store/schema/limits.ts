import { counter, text, time } from './column.ts';
import { table } from './table.ts';

/** What each instance has counted under each limit in use, until the window ends in which it did. */
export const limitCountTable = table(
  'litellm_limitcounts',
  {
    scope: text(),
    id: text(),
    instance: text(),
    requests: counter(),
    tokens: counter(),
    window_ends_at: time(),
  },
  { primaryKey: ['scope', 'id', 'instance'], indexes: [['window_ends_at']] },
);
