import type { LeaseStatus } from './leases.js';
import { age, table } from './table.js';
import type { Terminal } from './terminal.js';

const NONE = '-';
const HEADING = ['NAME', 'STATE', 'HOLDER', 'KIND', 'TOKEN', 'SINCE', 'RENEWED', 'DURATION'];

/** Leases as a table or as JSON; what was told already is not told again. */
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
    if (this.#output === 'json') this.#terminal.print(JSON.stringify(all, null, 2));
    else this.#printTable(all, true);
  }

  /** Those of which something else than their renewal is new: a line each, JSON as well. */
  printChanges(all: readonly LeaseStatus[]): void {
    const changed = all.filter((one) => this.#told.get(keyOf(one)) !== gistOf(one));
    const names = new Set(all.map(keyOf));
    const gone = [...this.#told.keys()].filter((key) => !names.has(key));
    this.#told = new Map(all.map((one) => [keyOf(one), gistOf(one)]));
    if (this.#output === 'table') {
      this.#printTable(changed, false);
      for (const key of gone) this.#terminal.print(`${key} was deleted`);
      return;
    }
    for (const one of changed) this.#terminal.print(JSON.stringify(one));
    for (const key of gone) {
      const [namespace, name] = key.split('/');
      this.#terminal.print(JSON.stringify({ namespace, name, state: 'deleted' }));
    }
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

function keyOf({ namespace, name }: LeaseStatus): string {
  return `${namespace}/${name}`;
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
