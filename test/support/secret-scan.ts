/** Forms that providers give to their credentials; each with what makes it unlike a placeholder. */
const FORMS: readonly (readonly [name: string, form: RegExp])[] = [
  ['private key', /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
  ['OpenAI key', /\bsk-(?:proj|svcacct|admin)-[\w-]{40,}/],
  ['OpenAI key of the old form', /\bsk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}/],
  ['Anthropic key', /\bsk-ant-(?:api|admin|sid)\d\d-[\w-]{60,}/],
  // The key of AWS's own documents, with which its signature's test vectors are made, ends so.
  ['AWS access key', /\b(?:AKIA|ASIA)(?![0-9A-Z]{9}EXAMPLE\b)[0-9A-Z]{16}\b/],
  ['Google key', /\bAIza[\w-]{35}/],
  ['Google OAuth secret', /\bGOCSPX-[\w-]{28}/],
  ['GitHub token', /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{60,})/],
  ['GitLab token', /\bglpat-[\w-]{20}/],
  ['npm token', /\bnpm_[A-Za-z0-9]{36}/],
  ['PyPI token', /\bpypi-AgEI[\w-]{50,}/],
  ['Hugging Face token', /\bhf_[A-Za-z0-9]{34}/],
  ['Slack token', /\bxox[abeoprs]-[A-Za-z0-9-]{20,}/],
  ['Slack webhook', /hooks\.slack\.com\/services\/T[A-Z0-9]{8,}\/B[A-Z0-9]{8,}\/[A-Za-z0-9]{20,}/],
  ['Stripe key', /\b[rs]k_live_[A-Za-z0-9]{20,}/],
  ['Langfuse key', /\bsk-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/],
  ['JSON Web Token', /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}/],
];

/** Text without blanks that is long enough to be a credential. */
const WORD = /[A-Za-z0-9+/_=-]{32,}/g;
/** Bits a character, from which 32 and more characters look drawn by lot; words of people and code stay below. */
const RANDOM_BITS = 4.4;

export interface Leak {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly what: string;
}

/** Places in a text that look like a credential. Of what was found only the kind is told: output is kept as well. */
export function leaksIn(path: string, text: string, entropy: 'forms-only' | 'entropy-too'): readonly Leak[] {
  return text.split('\n').flatMap((line, index) => {
    const forms = FORMS.filter(([, form]) => form.test(line)).map(([name]) => name);
    const isRandom = entropy === 'entropy-too' && (partedUrls(line).match(WORD) ?? []).some(looksRandom);
    return [...forms, ...(isRandom ? ['random text'] : [])].map((what) => ({ path, line: index + 1, what }));
  });
}

/** The parts of an address are words of their own: joined they would look as if drawn by lot. */
const partedUrls = (line: string): string => line.replace(/https?:\/\/\S+/g, (url) => url.replaceAll('/', ' '));

/** Small and capital letters and digits, all mixed: hex digests, paths and names in any case are none of it. */
function looksRandom(word: string): boolean {
  if (!/[a-z]/.test(word) || !/[A-Z]/.test(word) || !/[0-9]/.test(word)) return false;
  return bitsOf(word) >= RANDOM_BITS;
}

/** Shannon's entropy of a text, bits a character. */
function bitsOf(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
