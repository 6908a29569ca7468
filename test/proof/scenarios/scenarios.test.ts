import { describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../../tools/docs/source.js';
import { play } from '../../../tools/docs/scenario/play.js';
import { shipped, type Protocol } from '../../../tools/docs/scenario/protocol.js';

const folder = join(root, 'test/proof/scenarios');
const texts = new Map(
  readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
);

/** The names of the scenarios that go another way, or break a promise, with this protocol. */
function noticedBy(faulty: Partial<Protocol>): string[] {
  const leavesAnotherTrace = ([, text]: [string, string]): boolean => {
    try {
      return play(text, { ...shipped, ...faulty }) !== text;
    } catch {
      return true;
    }
  };
  return [...texts].filter(leavesAnotherTrace).map(([name]) => name);
}

describe('the scenarios', () => {
  it('are ten stories', () => {
    expect([...texts.keys()]).toEqual([
      'crash-and-takeover.txt',
      'dead-record.txt',
      'deletion.txt',
      'foreign-edit.txt',
      'hand-off.txt',
      'late-commit.txt',
      'lost-reply.txt',
      'race.txt',
      'release-in-doubt.txt',
      'suspension.txt',
    ]);
  });

  it.each([...texts])(
    '%s leaves the trace that it shows (npm run scenarios -- --rewrite)',
    (...[, text]) => {
      expect(play(text)).toBe(text);
    },
  );
});

describe('a wrong protocol', () => {
  it('is noticed when belief outlasts the lease of the others', () => {
    const advance: Protocol['advance'] = (state, event, now, terms) => {
      return shipped.advance(state, event, now, { ...terms, durationMs: terms.durationMs + 8_000 });
    };
    expect(() => play(texts.get('suspension.txt') ?? '', { ...shipped, advance })).toThrow(
      'a and b believe that they hold the Lease',
    );
    expect(noticedBy({ advance })).toContain('hand-off.txt');
  });

  it('is noticed when a candidate does not wait as long as the record says', () => {
    const nextStep: Protocol['nextStep'] = (state, now, terms) => {
      return shipped.nextStep(state, { ...now, monotonic: now.monotonic + 1_000 }, terms);
    };
    expect(noticedBy({ nextStep })).toContain('crash-and-takeover.txt');
  });

  it('is noticed when an edit of a label counts as a sign of life', () => {
    const observe: Protocol['observe'] = (sight, news, now) => {
      const seen = shipped.observe(sight, news, now);
      return seen.kind === 'present' && seen.serial > sight.serial
        ? { ...seen, firstSeenAt: now }
        : seen;
    };
    expect(noticedBy({ observe })).toEqual(['foreign-edit.txt']);
  });

  it('is noticed when suspension does not count against belief', () => {
    const advance: Protocol['advance'] = (state, event, now, terms) => {
      return shipped.advance(state, event, { ...now, elapsed: now.monotonic }, terms);
    };
    expect(noticedBy({ advance })).toContain('suspension.txt');
  });

  it('is noticed when an attempt ends with a write of its own still under way', () => {
    const advance: Protocol['advance'] = (state, event, now, terms) => {
      return event.type === 'stop' && state.kind === 'seeking'
        ? { kind: 'over', end: { how: 'withdrawn' } }
        : shipped.advance(state, event, now, terms);
    };
    expect(noticedBy({ advance })).toEqual(['late-commit.txt']);
  });
});

describe('a script', () => {
  it('keeps what is told, and replaces every line of the trace', () => {
    const text =
      '# Title\n#\n# Prose.\n\n> lease vacant\n   0.000    x        nonsense\n\n# The end.\n';
    expect(play(text)).toBe('# Title\n#\n# Prose.\n\n> lease vacant\n\n# The end.\n');
  });

  it.each([
    ['> wait 3s', '"wait 3s" is not a command. Commands:\n  lease vacant\n'],
    ['> advance 3', '"3" is not a time such as 500ms or 2s'],
    ['> candidate a luck=1', '"luck" is not an option of a candidate'],
    ['> a acquire', 'there is no candidate a'],
    ['> candidate a\n> candidate a', 'there is a candidate a already'],
    ['> kubectl delete', 'there is no Lease'],
  ])('says what is wrong with %j', (text, why) => {
    expect(() => play(`# Title\n${text}\n`)).toThrow(why);
  });
});
