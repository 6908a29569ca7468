import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { PAGE, diagrams, redraw } from './tools/diagrams.js';

describe('docs/protocol.md', () => {
  it('shows the diagrams that the code draws (npm run docs:update)', async () => {
    const page = await readFile(PAGE, 'utf8');
    expect(redraw(page)).toBe(page);
  });

  it('would notice one that is out of date, or has no place', async () => {
    const page = await readFile(PAGE, 'utf8');
    const stale = page.replace('seeking --> holding: news', 'seeking --> holding: hope');
    expect(redraw(stale)).not.toBe(stale);
    expect(() => redraw('nothing')).toThrow('no place for the diagram "states"');
    expect(Object.keys(diagrams)).toHaveLength(3);
  });
});
