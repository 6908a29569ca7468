// What the pages claim, as far as a machine can check it: fences of code, and links.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A fenced block. */
export interface Fence {
  readonly page: string;
  /** Line of the page on which the block's text begins, from 1. */
  readonly line: number;
  /** The first word after the backticks. */
  readonly language: string;
  /** The other words. */
  readonly marks: readonly string[];
  readonly text: string;
}

interface Page {
  readonly fences: readonly Fence[];
  /** The page without its fences, each line where it was. */
  readonly prose: readonly string[];
}

export function readPage(page: string, text: string): Page {
  const fences: Fence[] = [];
  const prose: string[] = [];
  let open: { indent: string; end: string; info: string; line: number; body: string[] } | null =
    null;
  for (const [index, line] of text.split('\n').entries()) {
    const [, indent = '', ticks = '', info = ''] = /^(\s*)(`{3,}|~{3,})\s*(.*)$/.exec(line) ?? [];
    const isEnd = open !== null && ticks.startsWith(open.end) && info === '';
    prose.push(open === null && ticks === '' ? line : '');
    if (open === null && ticks !== '') {
      open = { indent, end: ticks, info, line: index + 2, body: [] };
    } else if (open !== null && isEnd) {
      const [language = '', ...marks] = open.info.trim().split(/\s+/);
      fences.push({ page, line: open.line, language, marks, text: open.body.join('\n') });
      open = null;
    } else if (open !== null) {
      open.body.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    }
  }
  if (open !== null) throw new Error(`${page}:${open.line - 1} opens a fence that never ends`);
  return { fences, prose };
}

/** Complaints about links to files that are not there, and to headings that no page has. */
export function brokenLinks(root: string, pages: ReadonlyMap<string, string>): string[] {
  return [...pages].flatMap(([page, text]) => {
    const { prose } = readPage(page, text);
    return prose.flatMap((line, index) => {
      const wrong = linksIn(line).filter((target) => !isThere(root, page, target, pages));
      return wrong.map((target) => `${page}:${index + 1} links to ${target}, which is not there`);
    });
  });
}

function linksIn(line: string): string[] {
  const plain = line.replace(/`[^`]*`/g, 'code');
  const inline = [...plain.matchAll(/\]\(\s*<?([^)\s>]+)[^)]*\)/g)];
  const defined = [...plain.matchAll(/^\s*\[[^\]]+\]:\s*<?([^\s>]+)/g)];
  const targets = [...inline, ...defined].map(([, target]) => target ?? '');
  return targets.filter((target) => !/^[a-z][a-z+.-]*:/i.test(target));
}

function isThere(
  root: string,
  page: string,
  target: string,
  pages: ReadonlyMap<string, string>,
): boolean {
  const [path = '', anchor] = decodeURIComponent(target).split('#');
  const file = path === '' ? page : join(dirname(page), path);
  if (!pages.has(file) && !existsSync(join(root, file))) return false;
  const text = pages.get(file);
  if (anchor === undefined || text === undefined)
    return anchor === undefined || !file.endsWith('.md');
  return anchorsOf(readPage(file, text).prose).has(anchor);
}

/** The anchors that GitHub gives to headings. */
function anchorsOf(prose: readonly string[]): Set<string> {
  const anchors = new Set<string>();
  for (const line of prose) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = words.replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '').replace(/ /g, '-');
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}
