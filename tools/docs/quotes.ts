/** Parts of files that pages show: what a page quotes is run by a test, where it stands. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './source.js';

/** A whole file, such as a scenario or a configuration. */
export function fileText(path: string): string {
  return readFileSync(join(root, path), 'utf8').trimEnd();
}

/** What the tests of a file share: its imports, and its hooks. The file has one `describe` around all. */
export function setUpOf(path: string): string {
  const lines = fileText(path).split('\n');
  const imports = lines.filter((line) => line.startsWith('import '));
  const begin = lines.findIndex((line) => line.startsWith('describe('));
  const end = lines.findIndex((line) => line.startsWith('  it('));
  if (begin < 0 || end < begin) throw new Error(`${path} has no describe with a test in it`);
  return [...imports, '', ...dedented(lines.slice(begin + 1, end))].join('\n').trimEnd();
}

/** One test of a file, by its title. */
export function testOf(path: string, title: string): string {
  const lines = fileText(path).split('\n');
  const begin = lines.findIndex((line) => line.startsWith(`  it('${title}',`));
  if (begin < 0) throw new Error(`${path} has no test "${title}"`);
  const length = lines.slice(begin).findIndex((line) => line === '  });') + 1;
  return dedented(lines.slice(begin, begin + length)).join('\n');
}

function dedented(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/^ {2}/, ''));
}
