import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { diagrams, fileOf, redraw } from '../../tools/docs/diagrams.js';

describe.each(Object.keys(diagrams))('%s', (page) => {
  it('shows the diagrams that the code draws (npm run docs:update)', async () => {
    const text = await readFile(fileOf(page), 'utf8');
    expect(redraw(page, text)).toBe(text);
  });
});

describe('the diagrams', () => {
  it('are noticed when they are out of date, or have no place', async () => {
    const page = 'docs/protocol.md';
    const text = await readFile(fileOf(page), 'utf8');
    const stale = text.replace('seeking --> holding: news', 'seeking --> holding: hope');
    expect(redraw(page, stale)).not.toBe(stale);
    expect(() => redraw(page, 'nothing')).toThrow('no place for the diagram "states"');
    expect(Object.keys(diagrams)).toEqual([
      'docs/protocol.md',
      'docs/testing.md',
      'docs/safety.md',
    ]);
    expect(Object.keys(diagrams[page] ?? {})).toEqual([
      'states',
      'crash-and-takeover',
      'hand-off',
      'lost-reply',
      'late-commit',
    ]);
  });
});
