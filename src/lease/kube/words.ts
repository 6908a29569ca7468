/** What others say, made fit for a message: one line, bounded, without anything that may be a secret. */

const LIMIT = 400;

/** The gist of a body that is no Kubernetes Status: a proxy's page, plain text. */
export function gist(text: string): string {
  const plain = text
    .replace(/<(script|style)[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return plain.length > LIMIT ? `${plain.slice(0, LIMIT)}…` : plain;
}

/** The same for text that came from the side of the credentials: long runs without a space are cut out. */
export function scrub(text: string): string {
  return gist(text.replace(/[A-Za-z0-9_\-.=+]{32,}/g, '…'));
}

/** The message of whatever was thrown. */
export function wordsOf(error: unknown): string {
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === 'string' ? message : String(error);
}
