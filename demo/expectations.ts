// What was expected of the run, beside what was measured.
import { highlight, paint, print } from './paint.js';

interface Expectation {
  readonly what: string;
  readonly expected: string;
  readonly measured: string;
  readonly isMet: boolean;
}

export class Expectations {
  readonly #all: Expectation[] = [];

  check(what: string, expected: string, measured: string, isMet: boolean): void {
    this.#all.push({ what, expected, measured, isMet });
  }

  get areMet(): boolean {
    return this.#all.length > 0 && this.#all.every(({ isMet }) => isMet);
  }

  /** Prints the table and its sum. */
  print(seconds: number): void {
    const width = (column: 'what' | 'expected'): number =>
      Math.max(...this.#all.map((each) => each[column].length), column.length);
    const [what, expected] = [width('what'), width('expected')];
    print();
    print(
      paint('bold', `     ${'expectation'.padEnd(what)}  ${'expected'.padEnd(expected)}  measured`),
    );
    for (const each of this.#all) {
      const mark = each.isMet ? paint('green', '✓') : paint(['bold', 'red'], '✗');
      const columns = `${each.what.padEnd(what)}  ${each.expected.padEnd(expected)}`;
      print(`  ${mark}  ${columns}  ${each.isMet ? each.measured : paint('red', each.measured)}`);
    }
    print();
    const [met, all] = [this.#all.filter(({ isMet }) => isMet).length, this.#all.length];
    const sum =
      met === all
        ? `all ${all} expectations were met`
        : `${all - met} of ${all} expectations were NOT met`;
    print(highlight(paint('bold', `${sum}, in ${seconds.toFixed(1)} s`)));
  }
}

/** `5.9 ms`, `312 ms`, `4.02 s` */
export function duration(ms: number): string {
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}
