// What other electors test of themselves, asked of ours. A row is played, or proven by a test elsewhere, or says why it
// is different on purpose: its type knows no fourth kind.
import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../../../tools/docs/source.js';
import { acquiring } from './acquiring.js';
import { leaseLock } from './lease-lock.js';
import { others } from './others.js';
import { play } from './play.js';
import { releasing } from './releasing.js';

const rows = [...acquiring, ...releasing, ...leaseLock, ...others];

describe('the cases of client-go', () => {
  for (const row of rows) {
    const there = `${row.title} (there: ${row.upstream})`;
    if ('start' in row) {
      const here = row.differs === undefined ? '' : `; here: ${row.differs}`;
      it(`${there}${here}`, () => play(row));
    } else if ('provenIn' in row) {
      it(`${there}; proven in ${row.provenIn}`, async () => {
        const text = await readFile(join(root, row.provenIn), 'utf8');
        expect([row.words, text.includes(row.words)]).toEqual([row.words, true]);
      });
    } else {
      it(`${there}; different on purpose: ${row.onPurpose}`, () => {
        expect(row.onPurpose.length).toBeGreaterThan(20);
      });
    }
  }

  it('are all there, in the order of upstream', () => {
    const numbers = rows.map(({ title }) => Number.parseInt(title, 10));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers)).toEqual(new Set(Array.from({ length: 35 }, (_, index) => index + 1)));
  });
});
