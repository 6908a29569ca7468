/**
 * Draws the diagrams of the pages: the states from the transition table, the axis of time by playing the protocol. Quotes
 * scenarios, tests and configurations that are run elsewhere. `npm run docs:update` writes them; a test compares.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transitions } from '../../src/lease/protocol/state.js';
import { fileText, setUpOf, testOf } from './quotes.js';
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

const RUNNERS = 'test/fixtures/runners';
const TIME = 'examples/testing/time.test.ts';
const FAULTS = 'examples/testing/faults.test.ts';

/** A scenario as its file shows it, which a test holds against the protocol. */
function scenario(name: string): Diagram {
  const draw = (): string => fileText(`test/proof/scenarios/${name}.txt`);
  return { language: 'text', draw };
}

/** A file of a project that a test runs with the packed package; code of another project does not compile in this one. */
function runner(language: 'js' | 'json', path: string): Diagram {
  return {
    language: language === 'js' ? 'js no-check' : language,
    draw: () => fileText(`${RUNNERS}/${path}`),
  };
}

/** What goes on where the fence before it ended. */
function test(path: string, title: string): Diagram {
  return { language: 'ts continued', draw: () => testOf(path, title) };
}

interface Diagram {
  /** Of the fence that it stands in, with its marks. */
  readonly language: string;
  readonly draw: () => string;
}

/** By page, then by the name between its markers. */
export const diagrams: Readonly<Record<string, Readonly<Record<string, Diagram>>>> = {
  'docs/protocol.md': {
    states: { language: 'mermaid', draw: stateDiagram },
    'crash-and-takeover': scenario('crash-and-takeover'),
    'hand-off': scenario('hand-off'),
    'lost-reply': scenario('lost-reply'),
    'late-commit': scenario('late-commit'),
  },
  'docs/testing.md': {
    'set-up': { language: 'ts', draw: () => setUpOf(TIME) },
    busy: test(TIME, 'skips the work while another process holds the lock'),
    work: test(TIME, 'renews the lock while the work takes its time'),
    crash: test(TIME, 'takes over 15 s after the holder has crashed'),
    outage: test(TIME, 'survives an outage of 10 s, and loses the lock in one of 13 s'),
    leader: test(TIME, 'stops leading when it loses the lease, and leads again later'),
    timeout: test(TIME, 'waits no longer than it was told to'),
    suspension: test(TIME, 'knows after a suspension of the machine that its lock is lost'),
    deletion: test(FAULTS, 'stops when an operator deletes the Lease'),
    stranger: test(FAULTS, 'waits for a holder that another program wrote'),
    requests: test(FAULTS, 'needs two writes for a lock and its release'),
    reply: test(FAULTS, 'acquires although a reply is lost'),
    watch: test(FAULTS, 'notices a watch that delivers nothing'),
    permission: test(FAULTS, 'says which permission is missing'),
    'jest-esm': runner('js', 'jest-esm/jest.config.js'),
    'jest-esm-package': runner('json', 'jest-esm/package.json'),
    'jest-commonjs': runner('js', 'jest-commonjs/jest.config.js'),
    'ts-jest-esm': runner('js', 'ts-jest-esm/jest.config.js'),
    'ts-jest-esm-tsconfig': runner('json', 'ts-jest-esm/tsconfig.json'),
    'ts-jest-commonjs': runner('js', 'ts-jest-commonjs/jest.config.js'),
    'ts-jest-commonjs-tsconfig': runner('json', 'ts-jest-commonjs/tsconfig.json'),
    'fake-timers': runner('js', 'jest-esm/fake-timers.test.js'),
    'node-test': runner('js', 'node-test/lock.test.js'),
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
