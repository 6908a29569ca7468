/** What others say, made fit for a message: one line, bounded, without anything that may be a secret. */

const LIMIT = 400;
/** More is not looked at: bodies may have megabytes, and the gist of a page stands at its beginning. */
const LOOKED_AT = 8_192;

/** Blanks, and what a terminal or a log viewer would obey: control characters, changes of direction. */
const GAPS = /[\s\p{Cc}\p{Bidi_Control}]+/gu;

/** The gist of a body that is no Kubernetes Status: a proxy's page, plain text. Linear in what is looked at. */
export function gist(text: string): string {
  const plain = withoutMarkup(cut(text, LOOKED_AT)).replace(GAPS, ' ').trim();
  return plain.length > LIMIT ? `${cut(plain, LIMIT)}…` : plain;
}

/** The same for text that came from the side of the credentials: long runs that no word has are cut out. */
export function scrub(text: string): string {
  return gist(cut(text, LOOKED_AT).replace(LONG_RUN, (run) => (/[A-Z\d]/.test(run) ? '…' : run)));
}

/** As tokens and keys are written, base64 included. Paths and addresses without a digit or a capital are none. */
const LONG_RUN = /[\w\-.=+/]{20,}/g;

/** The message of whatever was thrown. */
export function wordsOf(error: unknown): string {
  const { message } = (error ?? {}) as { readonly message?: unknown };
  return typeof message === 'string' ? message : String(error);
}

/** Without tags, and without what stands between those of a script or a style. */
function withoutMarkup(text: string): string {
  let closing: string | null = null;
  let kept = '';
  // Parts are texts and tags by turns.
  for (const [index, part] of text.split(/(<[^<>]*>)/).entries()) {
    const isTag = index % 2 === 1;
    if (closing !== null) {
      if (isTag && part.toLowerCase().startsWith(closing)) closing = null;
    } else if (isTag) {
      const [, name] = /^<(script|style)\b/i.exec(part) ?? [];
      if (name !== undefined) closing = `</${name.toLowerCase()}`;
      kept += ' ';
    } else kept += part;
  }
  return kept;
}

/** Never through the middle of a character. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
}
