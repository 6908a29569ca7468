/**
 * `npm run scenarios` plays every scenario and fails when one leaves another trace than its file shows;
 * `npm run scenarios -- --rewrite` writes the traces into the files.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../source.js';
import { play } from './play.js';

const folder = join(root, 'test', 'proof', 'scenarios');
const isRewriting = process.argv.includes('--rewrite');
for (const name of readdirSync(folder).filter((one) => one.endsWith('.txt'))) {
  const text = readFileSync(join(folder, name), 'utf8');
  const played = play(text);
  if (played === text) continue;
  console.log(`${name}: ${isRewriting ? 'rewritten' : 'leaves another trace than it shows'}`);
  if (isRewriting) writeFileSync(join(folder, name), played);
  else process.exitCode = 1;
}
