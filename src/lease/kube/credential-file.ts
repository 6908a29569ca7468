import { readFile, stat } from 'node:fs/promises';

/** A file is looked at again at most this often, and read again only when it has changed. */
const LOOK_AGAIN_MS = 1_000;

/** What a credential comes from. */
export interface CredentialSource {
  /** The same object as long as the content is the same. */
  read(): Promise<Buffer>;
}

/** Content that the configuration itself has. */
export function inline(content: Buffer): CredentialSource {
  return { read: () => Promise.resolve(content) };
}

/** The content of a file that may be replaced at any time, as a kubelet and cert-manager do. */
export class CredentialFile implements CredentialSource {
  readonly #path: string;
  readonly #now: () => number;
  #content: Buffer | null = null;
  #version = '';
  #lookedAt = -Infinity;
  #isLooking = false;

  /** @param now monotonic, milliseconds */
  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
  }

  /**
   * A file that was readable once and is not at the moment is in the middle of being replaced: until it is readable
   * again, the last content counts, as in client-go. The same holds while a look is under way: a file system may hang,
   * and only one caller is to hang with it.
   * @throws the error of the file system when the file has never been readable
   */
  async read(): Promise<Buffer> {
    const now = this.#now();
    const isRecent = this.#isLooking || now - this.#lookedAt < LOOK_AGAIN_MS;
    if (this.#content !== null && isRecent) return this.#content;
    this.#lookedAt = now;
    this.#isLooking = true;
    try {
      return await this.#refresh();
    } catch (error) {
      if (this.#content === null) throw error;
      return this.#content;
    } finally {
      this.#isLooking = false;
    }
  }

  async #refresh(): Promise<Buffer> {
    // Taken before the content: a change between the two is found at the next look.
    const { mtimeMs, ctimeMs, ino, size } = await stat(this.#path);
    const version = [mtimeMs, ctimeMs, ino, size].join(' ');
    if (this.#content !== null && version === this.#version) return this.#content;
    const content = await readFile(this.#path);
    const isSame = this.#content?.equals(content) === true;
    this.#version = version;
    if (!isSame) this.#content = content;
    return this.#content ?? content;
  }
}
