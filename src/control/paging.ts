import type { ListQuery, TableReader } from '../store/repository.ts';
import type { RowOf, Table } from '../store/schema/table.ts';

/** LiteLLM's numbered pages. */
export interface Numbered<Row> {
  readonly rows: readonly Row[];
  readonly total: number;
  readonly page: number;
  readonly pages: number;
}

/** What is asked for: the first page is 1. */
export interface PageAsked<Row> extends Omit<ListQuery<Row>, 'limit' | 'skip' | 'after'> {
  readonly page: number;
  readonly size: number;
}

/** One page and the number of all. */
export async function numberedPage<T extends Table>(
  reader: TableReader<T>,
  { page, size, ...query }: PageAsked<RowOf<T>>,
): Promise<Numbered<RowOf<T>>> {
  const total = await reader.count(query.where);
  const { rows } = await reader.list({ ...query, limit: size, skip: (page - 1) * size });
  return { rows, total, page, pages: Math.ceil(total / size) };
}
