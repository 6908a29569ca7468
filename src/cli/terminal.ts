/** Where a command writes to: its result to one, what it has to say about it to the other. */
export interface Output {
  write(text: string): unknown;
}

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
    this.#stdout.write(`${line}\n`);
  }

  /** A line for whoever watches. */
  tell(line: string): void {
    this.#stderr.write(`${NAME}: ${line}\n`);
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
