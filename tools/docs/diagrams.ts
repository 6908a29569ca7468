/**
 * Draws the diagrams of the pages: the states from the transition table, the axis of time by playing the protocol; and
 * quotes the scenarios. `npm run docs:update` writes them; a test compares.
 */
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transitions } from '../../src/lease/protocol/state.js';
import { beliefTimeline } from './timeline.js';

function stateDiagram(): string {
  const lines = ['stateDiagram-v2', '  [*] --> seeking'];
  for (const [from, events] of Object.entries(transitions)) {
    const byTarget = new Map<string, string[]>();
    for (const [event, targets] of Object.entries(events)) {
      for (const to of targets.filter((target) => target !== from)) {
        byTarget.set(to, [...(byTarget.get(to) ?? []), event]);
      }
    }
    for (const [to, names] of byTarget) {
      const every = names.length >= Object.keys(events).length - 1 && names.length > 1;
      lines.push(`  ${from} --> ${to}: ${every ? 'any event' : names.join(', ')}`);
    }
  }
  return [...lines, '  over --> [*]'].join('\n');
}

/** A scenario as its file shows it, which a test holds against the protocol. */
function scenario(name: string): string {
  return readFileSync(fileOf(`test/proof/scenarios/${name}.txt`), 'utf8').trimEnd();
}

interface Diagram {
  /** Of the fence that it stands in. */
  readonly language: 'mermaid' | 'text';
  readonly draw: () => string;
}

/** By page, then by the name between its markers. */
export const diagrams: Readonly<Record<string, Readonly<Record<string, Diagram>>>> = {
  'docs/protocol.md': {
    states: { language: 'mermaid', draw: stateDiagram },
    'crash-and-takeover': { language: 'text', draw: () => scenario('crash-and-takeover') },
    'hand-off': { language: 'text', draw: () => scenario('hand-off') },
    'lost-reply': { language: 'text', draw: () => scenario('lost-reply') },
    'late-commit': { language: 'text', draw: () => scenario('late-commit') },
  },
  'docs/safety.md': { belief: { language: 'text', draw: beliefTimeline } },
};

export function fileOf(page: string): string {
  return fileURLToPath(new URL(`../../${page}`, import.meta.url));
}

/** The text of a page with every diagram drawn anew between its markers. */
export function redraw(page: string, text: string): string {
  let drawn = text;
  for (const [name, { language, draw }] of Object.entries(diagrams[page] ?? {})) {
    const block = new RegExp(`(<!-- diagram: ${name} -->\n)[^]*?(<!-- end -->)`);
    if (!block.test(drawn)) throw new Error(`${page} has no place for the diagram "${name}"`);
    drawn = drawn.replace(block, (_, start: string, end: string) => {
      return `${start}\n\`\`\`${language}\n${draw()}\n\`\`\`\n\n${end}`;
    });
  }
  return drawn;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const page of Object.keys(diagrams)) {
    await writeFile(fileOf(page), redraw(page, await readFile(fileOf(page), 'utf8')));
  }
}
