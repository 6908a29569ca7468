import { describe, expect, it } from '@jest/globals';
import { fc } from '../../support/property.js';
import { LineSplitter } from '../../../src/lease/kube/lines.js';

function split(chunks: readonly Buffer[]): { lines: string[]; skipped: number } {
  const result = { lines: [] as string[], skipped: 0 };
  const splitter = new LineSplitter(
    (line) => result.lines.push(line),
    () => result.skipped++,
  );
  for (const chunk of chunks) splitter.push(chunk);
  return result;
}

describe('LineSplitter', () => {
  it('finds the same lines wherever the stream is cut, also within a character', () => {
    const lines = fc.array(fc.string({ unit: 'binary' }).map((text) => text.replace(/\n/g, '')));
    const cuts = fc.array(fc.nat());
    fc.assert(
      fc.property(lines, cuts, (texts, at) => {
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
        const places = [0, ...at.map((cut) => cut % (bytes.length + 1)), bytes.length];
        places.sort((a, b) => a - b);
        const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
        const expected = texts.map((text) => Buffer.from(text).toString());
        expect(split(chunks).lines).toEqual(expected.filter((text) => text !== ''));
      }),
    );
  });

  it('keeps back a line that has not ended', () => {
    expect(split([Buffer.from('a\nb')]).lines).toEqual(['a']);
  });

  it('skips a line beyond 1 MiB without keeping it, says so, and goes on', () => {
    const long = Buffer.alloc(700_000, 'x');
    expect(split([Buffer.from('a\n'), long, long, long, Buffer.from('\nb\n')])).toEqual({
      ...{ lines: ['a', 'b'], skipped: 1 },
    });
  });
});
