/** What a registry said about known faults of packages. */
export type Advisories =
  | { readonly kind: 'none' }
  | { readonly kind: 'found'; readonly lines: readonly string[] }
  /** The registry was not reached, or answers no such questions. */
  | { readonly kind: 'not-checked'; readonly reason: string };

/** Reads what `npm audit --json` printed, whatever it was. */
export function readAudit(printed: string): Advisories {
  const report = parsed(printed);
  if (report === null) return { kind: 'not-checked', reason: 'npm printed no report' };
  const { vulnerabilities, message, error } = report;
  if (vulnerabilities === undefined)
    return { kind: 'not-checked', reason: message ?? error?.summary ?? 'the registry gave no report' };
  const lines = Object.entries(vulnerabilities).map(([name, { severity, range, via }]) => {
    const titles = via.map((each) => (typeof each === 'string' ? each : `${each.title} ${each.url}`));
    return `${severity}: ${name} ${range}: ${titles.join('; ')}`;
  });
  return lines.length === 0 ? { kind: 'none' } : { kind: 'found', lines };
}

interface Report {
  readonly message?: string;
  readonly error?: { readonly summary?: string };
  readonly vulnerabilities?: Readonly<
    Record<
      string,
      {
        readonly severity: string;
        readonly range: string;
        readonly via: readonly (string | { readonly title: string; readonly url: string })[];
      }
    >
  >;
}

function parsed(text: string): Report | null {
  try {
    const value: unknown = JSON.parse(text);
    // npm's own report, or its error: both are objects, and members that are not there are undefined.
    return typeof value === 'object' && value !== null ? (value as Report) : null;
  } catch {
    return null;
  }
}
