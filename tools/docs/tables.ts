// The tables of a page, so that they can be held against the code.
import { readPage } from './markdown.js';

/** A row: what stands below each heading of its table. */
export type Row = Readonly<Record<string, string>>;

/** All rows below a heading of the page, up to the next one; of the whole page without one. */
export function rowsOf(page: string, text: string, heading?: string): Row[] {
  const rows: Row[] = [];
  let names: readonly string[] | null = null;
  let isInside = heading === undefined;
  for (const line of readPage(page, text).prose) {
    const title = /^#+ +(.*?) *$/.exec(line)?.[1];
    if (title !== undefined && heading !== undefined) isInside = title === heading;
    const cells = isInside && line.startsWith('|') ? cellsOf(line) : null;
    if (cells === null) names = null;
    else if (names === null) names = cells;
    else if (!cells.every((cell) => /^:?-+:?$/.test(cell))) rows.push(rowOf(names, cells));
  }
  return rows;
}

function rowOf(names: readonly string[], cells: readonly string[]): Row {
  return Object.fromEntries(names.map((name, index) => [name, cells[index] ?? '']));
}

/** A `|` that belongs to a cell is written `\|`. */
function cellsOf(line: string): string[] {
  const inner = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  return inner.split(/(?<!\\)\|/).map((cell) => cell.replaceAll('\\|', '|').trim());
}

/** What stands between backticks. */
export function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

/** The text below a heading, fences included, up to the next heading of any depth. */
export function sectionOf(page: string, text: string, heading: string): string {
  const { prose } = readPage(page, text);
  const lines = text.split('\n');
  const isHeading = (line: string): boolean => /^#+ /.test(line);
  const start = prose.findIndex((line) => isHeading(line) && line.replace(/^#+ +/, '') === heading);
  if (start < 0) return '';
  const length = prose.slice(start + 1).findIndex(isHeading);
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).join('\n');
}
