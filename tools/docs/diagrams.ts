/**
 * Draws the diagrams of the pages: the states from the transition table, the stories by playing them with the
 * protocol itself. `npm run docs:update` writes them; a test compares.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transitions } from '../../src/lease/protocol/state.js';
import type { Lease } from '../../src/lease/record.js';
import { leaseWith, terms } from '../harness/protocol/fixtures.js';
import { Player, landed, type WriteStep } from '../harness/protocol/player.js';
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

/** Two processes and a server, on one clock. Each line that is drawn was decided by the protocol. */
class Story {
  readonly lines = ['sequenceDiagram'];
  readonly players: Record<string, Player>;
  readonly #answers = new Map<WriteStep, Lease>();
  #lease: Lease | null = null;
  #version = 100n;
  #now = 0;

  constructor(...names: string[]) {
    this.lines.push(...names.map((name) => `  participant ${name}`), '  participant API');
    this.players = Object.fromEntries(
      names.map((name) => [name, new Player(terms(name, { identity: name }))]),
    );
    for (const player of Object.values(this.players)) {
      player.event({ type: 'watch', live: true, gap: false });
    }
  }

  /** A lease that somebody created long ago. */
  vacant(): this {
    const record = { holder: '', durationMs: 1_000, acquireTime: 1, renewTime: 1, transitions: 0 };
    this.#lease = leaseWith({ record, mark: null }, this.#version);
    return this;
  }

  pass(ms: number): this {
    this.#now += ms;
    for (const player of Object.values(this.players)) player.wait(ms);
    return this;
  }

  note(over: string, text: string): this {
    this.lines.push(`  Note over ${over}: ${(this.#now / 1_000).toFixed(1)} s, ${text}`);
    return this;
  }

  read(name: string): this {
    const lease = this.#lease;
    this.#player(name).read(lease);
    this.lines.push(`  ${name}->>API: GET`, `  API-->>${name}: ${this.#show(lease)}`);
    return this;
  }

  /** The write that is due leaves; it is handled now, and heard of as the story says. */
  send(name: string, intent: string): WriteStep {
    const step = this.#player(name).send(intent);
    this.lines.push(`  ${name}->>API: PUT ${intent} onto version ${step.base.version}`);
    if (step.base.version !== this.#lease?.version) return step;
    this.#version += 1n;
    this.#lease = landed(step, this.#version);
    this.#answers.set(step, this.#lease);
    return step;
  }

  answer(name: string, step: WriteStep): this {
    const lease = this.#answers.get(step);
    if (lease?.version != null) {
      this.lines.push(`  API-->>${name}: 200 ${this.#show(lease)}`);
      this.#player(name).won(step, lease.version);
    } else {
      this.lines.push(`  API-->>${name}: 409 Conflict`);
      this.#player(name).settle(step, 'conflict');
    }
    return this.#tellState(name);
  }

  event(name: string): this {
    this.lines.push(`  API-)${name}: watch event, ${this.#show(this.#lease)}`);
    this.#player(name).learn(this.#lease);
    return this.#tellState(name);
  }

  release(name: string): this {
    this.#player(name).event({ type: 'stop' });
    this.lines.push(`  Note over ${name}: release(), not held from here`);
    return this;
  }

  tick(name: string): this {
    this.#player(name).event({ type: 'tick' });
    return this.#tellState(name);
  }

  #tellState(name: string): this {
    const { state } = this.#player(name);
    if (state.kind === 'holding') {
      const until = (state.heldUntil / 1_000).toFixed(1);
      this.lines.push(
        `  Note over ${name}: holds, token ${state.token}, believes until ${until} s`,
      );
    } else if (state.kind === 'over') {
      const { end } = state;
      const how = end.how === 'lost' ? `lost: ${end.reason}` : end.how;
      this.lines.push(`  Note over ${name}: over (${how})`);
    }
    return this;
  }

  #player(name: string): Player {
    const player = this.players[name];
    if (player === undefined) throw new Error(`nobody is called ${name}`);
    return player;
  }

  #show(lease: Lease | null): string {
    if (lease === null) return '404';
    return `version ${lease.version}, ${lease.record.holder === '' ? 'vacant' : `held by ${lease.record.holder}`}`;
  }
}

function handOff(): string {
  const story = new Story('A', 'B').vacant();
  story.read('A');
  story.answer('A', story.send('A', 'claim')).read('B').note('B', 'waits');
  story.pass(2_000).answer('A', story.send('A', 'renew')).event('B');
  story.pass(500).release('A');
  const vacate = story.send('A', 'vacate');
  story.event('B');
  const claim = story.send('B', 'claim');
  return story.answer('A', vacate).answer('B', claim).lines.join('\n');
}

function crash(): string {
  const story = new Story('A', 'B').vacant();
  story.read('A');
  story.answer('A', story.send('A', 'claim')).read('B');
  story.pass(2_000).send('A', 'renew');
  story.event('B').note('A', 'is cut off: the answer never arrives');
  story.pass(7_500).read('B').note('B', 'nothing changed: goes on waiting');
  story.pass(3_500).tick('A').note('A', 'belief ends on its own clock');
  story.pass(4_000).note('B', 'the record stood still for its 15 s');
  return story.answer('B', story.send('B', 'claim')).lines.join('\n');
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
    'hand-off': { language: 'mermaid', draw: handOff },
    crash: { language: 'mermaid', draw: crash },
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
    drawn = drawn.replace(block, `$1\n\`\`\`${language}\n${draw()}\n\`\`\`\n\n$2`);
  }
  return drawn;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const page of Object.keys(diagrams)) {
    await writeFile(fileOf(page), redraw(page, await readFile(fileOf(page), 'utf8')));
  }
}
