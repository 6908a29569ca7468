/** First come, first served, inside one process: of all who want one lease, only the head competes for it. */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #taken = false;

  /** Whether somebody has the turn or waits for it. */
  get isTaken(): boolean {
    return this.#taken;
  }

  /**
   * Resolves with the function that passes the turn on; idempotent.
   * @throws the signal's reason when it aborts first
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken) await this.#wait(signal);
    this.#taken = true;
    let passed = false;
    return () => {
      if (!passed) this.#pass();
      passed = true;
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(signal.reason as Error);
      };
      const enter = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(enter);
    });
  }

  /** The turn stays taken while it is handed over, so that nobody slips in between. */
  #pass(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken = false;
    else next();
  }
}
