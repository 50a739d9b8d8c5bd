import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SQL } from 'bun';

/** Every way in which a secret could have been written. */
export function spellingsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  // Base64 of a text that holds the secret depends on where it begins in it, but for what is in the middle.
  const within = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(shift === 0 ? 0 : 4)
      .replace(/.{0,4}=*$/, ''),
  );
  return [
    ...new Set([
      secret,
      encodeURIComponent(secret),
      bytes.toString('hex'),
      Buffer.from(secret, 'utf16le').toString('latin1'),
      ...within,
      ...within.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    ]),
  ];
}

/** Which of these secrets, by their names, are in a text of bytes, read as latin-1. */
export function secretsIn(text: string, secrets: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(secrets)
    .filter(([, secret]) => spellingsOf(secret).some((spelling) => text.includes(spelling)))
    .map(([name]) => name);
}

/** Every file below a folder, as latin-1. */
export function filesBelow(folder: string): ReadonlyMap<string, string> {
  const paths = readdirSync(folder, { recursive: true }) as string[];
  const files = paths.map((path) => join(folder, path)).filter((path) => statSync(path).isFile());
  return new Map(files.map((path) => [path, readFileSync(path, 'latin1')]));
}

/** Every row of every table of a database, as JSON, by the table's name; PostgreSQL's own catalogue is left out. */
export async function tablesOf(url: string): Promise<ReadonlyMap<string, string>> {
  const sql = new SQL(url, { max: 1 });
  try {
    const tables: { name: string }[] = await sql.unsafe(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    const texts = new Map<string, string>();
    for (const { name } of tables) {
      const rows: { row: string }[] = await sql.unsafe(`SELECT row_to_json(t)::text AS row FROM ${name} t`);
      texts.set(name, rows.map(({ row }) => row).join('\n'));
    }
    return texts;
  } finally {
    await sql.close();
  }
}
