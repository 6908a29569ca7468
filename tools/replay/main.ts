// `npm run replay < log`: how each attempt of a log ended, played again.
import { text } from 'node:stream/consumers';
import { replay } from './replay.js';

const attempts = replay((await text(process.stdin)).split('\n'));
for (const [nonce, { lease, terms, steps, state }] of attempts) {
  const end = state.kind === 'over' ? `over: ${state.end.how}` : `${state.kind} where the log ends`;
  console.log(`${lease} ${nonce} of ${terms.identity}: ${steps.length} steps, ${end}`);
}
if (attempts.size === 0) throw new Error('no line of metaparticle:sync:keeper begins an attempt');
