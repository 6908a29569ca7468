import { keyOf } from '../lease/record.js';
import type { LeaseStatus } from './leases.js';
import { age, table } from './table.js';
import type { Terminal } from './terminal.js';

const NONE = '-';
const HEADING = ['NAME', 'STATE', 'HOLDER', 'KIND', 'TOKEN', 'SINCE', 'RENEWED', 'DURATION'];

/** Leases as a table, or each as a line of JSON; what was printed already is not printed again. */
export class Printer {
  readonly #terminal: Terminal;
  readonly #output: 'table' | 'json';
  readonly #hasNamespaces: boolean;
  #told = new Map<string, string>();

  constructor(terminal: Terminal, output: 'table' | 'json', hasNamespaces: boolean) {
    this.#terminal = terminal;
    this.#output = output;
    this.#hasNamespaces = hasNamespaces;
  }

  print(all: readonly LeaseStatus[]): void {
    this.#told = new Map(all.map((one) => [keyOf(one), gistOf(one)]));
    if (this.#output === 'table') this.#printTable(all, true);
    else for (const one of all) this.#terminal.printJson(one);
  }

  /** A line for each of which something else than its renewal is new, and for each that is gone. */
  printChanges(all: readonly LeaseStatus[]): void {
    for (const one of all) this.#printChange(one);
    const names = new Set(all.map(keyOf));
    for (const key of this.#told.keys()) if (!names.has(key)) this.#printDeletion(key);
  }

  #printChange(one: LeaseStatus): void {
    const gist = gistOf(one);
    if (this.#told.get(keyOf(one)) === gist) return;
    this.#told.set(keyOf(one), gist);
    if (this.#output === 'json') this.#terminal.printJson(one);
    else this.#printTable([one], false);
  }

  /** @param key `namespace/name` */
  #printDeletion(key: string): void {
    if (!this.#told.delete(key)) return;
    const [namespace, name] = key.split('/');
    if (this.#output === 'table') this.#terminal.print(`${key} was deleted`);
    else this.#terminal.printJson({ namespace, name, state: 'deleted' });
  }

  #printTable(all: readonly LeaseStatus[], hasHeading: boolean): void {
    const heading = this.#hasNamespaces ? ['NAMESPACE', ...HEADING] : HEADING;
    const rows = all.map((one) => {
      const cells = cellsOf(one, Date.now());
      return this.#hasNamespaces ? [one.namespace, ...cells] : cells;
    });
    for (const row of table(hasHeading ? [heading, ...rows] : rows)) this.#terminal.print(row);
  }
}

function gistOf({ holder, kind, state, token }: LeaseStatus): string {
  return JSON.stringify([holder, kind, state, token]);
}

function cellsOf(one: LeaseStatus, now: number): readonly string[] {
  const ago = (time: string | null): string => {
    return time === null ? NONE : age(now - Date.parse(time));
  };
  const duration = one.durationSeconds === null ? NONE : `${one.durationSeconds}s`;
  return [
    ...[one.name, one.state, one.holder ?? NONE, one.kind ?? NONE, one.token ?? NONE],
    ...[ago(one.since), ago(one.renewed), duration],
  ];
}
