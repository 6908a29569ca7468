// The order of the test files: always the same, whatever earlier runs took, and the longest first, so that no
// worker is left with one of them at the end.
import { statSync } from 'node:fs';

/** Files that start processes or search for many seconds. Of the others the size is a good guess. */
const LONGEST_FIRST = [
  /\.(verification|long)\.test\.ts$/,
  /\/proof\/mutants\//,
  /\/proof\/explorer\//,
  /\/proof\/simulation\//,
  /\/repo\/(readme|package|pages|api)\.test\.ts$/,
  /\/integration\//,
  /\/repo\//,
  /\/examples\//,
];

export default class LongestFirst {
  sort(tests) {
    const keyed = [...tests].map((test) => ({ test, rank: rankOf(test), size: sizeOf(test) }));
    keyed.sort(
      (a, b) => a.rank - b.rank || b.size - a.size || (a.test.path < b.test.path ? -1 : 1),
    );
    return keyed.map(({ test }) => test);
  }

  /** What earlier runs took is not kept. */
  cacheResults() {}
}

function rankOf({ path }) {
  const rank = LONGEST_FIRST.findIndex((pattern) => pattern.test(path));
  return rank < 0 ? LONGEST_FIRST.length : rank;
}

function sizeOf({ path }) {
  return statSync(path).size;
}
