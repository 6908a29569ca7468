/** Where a command writes to: its result to one, what it has to say about it to the other. */
export interface Output {
  write(text: string): unknown;
}

/** A wait that lasts this long is explained. */
export const EXPLAINED_AFTER_MS = 5_000;

const NAME = 'metaparticle-sync';

/** What all commands are given of the process that runs them. */
export class Terminal {
  readonly #stdout: Output;
  readonly #stderr: Output;

  constructor(stdout: Output, stderr: Output) {
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** A line of the result. */
  print(line: string): void {
    this.#stdout.write(`${escaped(line)}\n`);
  }

  /** A text of several lines that this program made: manifests, JSON. */
  printText(text: string): void {
    for (const line of text.split('\n')) this.print(line);
  }

  /** One object of the result, for other programs: a line of JSON. */
  printJson(value: unknown): void {
    this.print(JSON.stringify(value));
  }

  /** A line for whoever watches. */
  tell(line: string): void {
    this.#stderr.write(`${NAME}: ${escaped(line)}\n`);
  }

  /** A matter that works and deserves a look. */
  warn({ message }: Error): void {
    this.tell(`warning: ${message}`);
  }
}

/** What a command is given, and how it says what the program ends with. */
export interface Context {
  readonly terminal: Terminal;
  end(exitCode: number): void;
}

/**
 * Names and messages come from the cluster: anyone who may write one Lease would otherwise write to the terminal of
 * everyone who looks at it. Control characters, and those that turn the direction of text around, are shown as escapes.
 */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/gu;

function escaped(line: string): string {
  // As JSON has it, so that a line of JSON stays one.
  const escape = (character: string): string =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return line.replace(UNPRINTABLE, escape);
}
