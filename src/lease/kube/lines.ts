const NEW_LINE = 0x0a;

/** A Lease has at most 1.5 MiB in etcd and a few hundred bytes in life. */
const LINE_LIMIT_BYTES = 2 ** 20;

/**
 * Cuts a byte stream into lines. Cuts bytes, not text: a character may be spread over two chunks. A line
 * beyond the limit is skipped, not buffered.
 */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #onSkip: () => void;
  #parts: Buffer[] = [];
  #size = 0;

  constructor(onLine: (line: string) => void, onSkip: () => void) {
    this.#onLine = onLine;
    this.#onSkip = onSkip;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEW_LINE); end >= 0; end = chunk.indexOf(NEW_LINE, start)) {
      this.#add(chunk.subarray(start, end));
      this.#endLine();
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
  }

  #add(part: Buffer): void {
    this.#size += part.length;
    if (this.#size > LINE_LIMIT_BYTES) this.#parts = [];
    else if (part.length > 0) this.#parts.push(part);
  }

  #endLine(): void {
    const [parts, size] = [this.#parts, this.#size];
    this.#parts = [];
    this.#size = 0;
    if (size > LINE_LIMIT_BYTES) this.#onSkip();
    else if (size > 0) this.#onLine(Buffer.concat(parts).toString('utf8'));
  }
}
