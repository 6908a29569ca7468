import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readPage } from './markdown.js';
import type { Fence } from './markdown.js';
import { root } from './source.js';

const docs = existsSync(join(root, 'docs')) ? readdirSync(join(root, 'docs')).sort() : [];
const names = [
  ...['README.md', 'CHANGELOG.md'].filter((name) => existsSync(join(root, name))),
  ...docs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
];

/** All that people read here, by name. */
export const pages = new Map(
  names.map((name) => [name, readFileSync(join(root, name), 'utf8')] as const),
);

export function fencesOf(page: string, text: string): readonly Fence[] {
  return readPage(page, text).fences;
}
