// Prints what happens as it happens: when, a lane for each candidate, who, and what.
import { now } from './messages.js';
import { WIDTH, highlight, nameStyle, paint, print, wrap } from './paint.js';

/** What a candidate is at that moment, as its lane shows it. */
export type Phase = 'absent' | 'waiting' | 'leading' | 'paused' | 'killed';

export interface Entry {
  readonly at?: number;
  /** A candidate, or anybody else. */
  readonly who: string;
  readonly what: string;
  /** What the candidate is from now on. */
  readonly phase?: Phase;
}

const SIGNS: Readonly<Record<Phase, string>> = {
  absent: ' ',
  waiting: '│',
  leading: '●',
  paused: '‖',
  killed: '×',
};

/** Reports of several processes arrive out of order by a few milliseconds. */
const HELD_BACK_MS = 80;

export class Timeline {
  readonly #lanes: Map<string, Phase>;
  readonly #startedAt = now();
  #pending: (Entry & { readonly at: number })[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(lanes: readonly string[]) {
    this.#lanes = new Map(lanes.map((name) => [name, 'absent']));
  }

  add(entry: Entry): void {
    this.#pending.push({ at: now(), ...entry });
    this.#timer ??= setTimeout(() => this.#print(now() - HELD_BACK_MS), HELD_BACK_MS);
  }

  /** What was found, under the events that show it. */
  conclude(text: string): void {
    this.flush();
    this.#write(' '.repeat(11), '=>', text, (line) => paint('bold', line));
  }

  /** A new act: what is going to be shown, and why it matters. */
  chapter(title: string, explanation: string): void {
    this.flush();
    print(`\n${paint('bold', title)}`);
    for (const line of wrap(explanation, WIDTH - 3)) print(`   ${paint('dim', line)}`);
    const heads = [...this.#lanes.keys()].map((name) => paint(nameStyle(name), name.slice(-1)));
    print(`${paint('dim', 'time'.padStart(9))}    ${heads.join(' ')}`.trimEnd());
  }

  /** The candidates have gone. */
  endLanes(): void {
    this.flush();
    this.#lanes.clear();
  }

  /** Prints all that is held back. */
  flush(): void {
    this.#print(Infinity);
  }

  #print(until: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending.sort((a, b) => a.at - b.at);
    const due = this.#pending.filter(({ at }) => at <= until);
    this.#pending = this.#pending.filter(({ at }) => at > until);
    for (const { at, who, what, phase } of due) {
      if (phase !== undefined) this.#lanes.set(who, phase);
      const seconds = ((at - this.#startedAt) / 1_000).toFixed(3);
      const decorate = who === '' ? (line: string): string => paint('dim', line) : highlight;
      this.#write(`${seconds.padStart(9)} s`, who, what, decorate);
    }
    if (this.#pending.length > 0) {
      this.#timer = setTimeout(() => this.#print(now() - HELD_BACK_MS), HELD_BACK_MS);
    }
  }

  #write(time: string, who: string, what: string, decorate: (line: string) => string): void {
    const named = paint(nameStyle(who), who.padEnd(7));
    const [first = '', ...rest] = wrap(what, WIDTH - 29);
    print(`${paint('dim', time)}  ${this.#signs()}  ${named}  ${decorate(first)}`);
    const indent = `${' '.repeat(13)}${this.#signs()}  ${' '.repeat(9)}`;
    for (const line of rest) print(`${indent}${decorate(line)}`);
  }

  #signs(): string {
    return [...this.#lanes].map(([name, phase]) => paint(nameStyle(name), SIGNS[phase])).join(' ');
  }
}
