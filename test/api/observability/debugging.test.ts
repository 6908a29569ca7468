// What DEBUG prints suffices to play an attempt again.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import debug from 'debug';
import { spawnSync } from 'node:child_process';
import { format } from 'node:util';
import { fencesOf, pages } from '../../../tools/docs/pages.js';
import { root } from '../../../tools/docs/source.js';
import { replay, type Replay } from '../../../tools/replay/replay.js';
import { Cluster } from '../../support/cluster.js';
import { rejection } from '../../support/promises.js';

let lines: string[];
const print = debug.log;
beforeEach(() => {
  lines = [];
  debug.log = (...args: unknown[]) => void lines.push(format(...args));
  debug.enable('metaparticle:sync:*');
});
afterEach(() => {
  debug.disable();
  debug.log = print;
});

/** What the attempts of a cluster come to when their lines are played again, in the order in which they began. */
async function playedAgain(act: (cluster: Cluster) => Promise<void>): Promise<Replay[]> {
  {
    await using cluster = await Cluster.start();
    await act(cluster);
  }
  return [...replay(lines).values()];
}

function stepsOf(attempt: Replay | undefined): string[] {
  return (attempt?.steps ?? []).map((step) => (step.do === 'write' ? step.write.intent : step.do));
}

function writesOf(attempt: Replay | undefined): string[] {
  return (attempt?.steps ?? []).flatMap((step) => (step.do === 'write' ? [step.write.intent] : []));
}

describe('lines of DEBUG=metaparticle:sync:keeper', () => {
  it('play a term again, from the wish to the release, and the wait of the next one', async () => {
    const [term, next, ...others] = await playedAgain(async (cluster) => {
      const first = await cluster.elsewhere('replayed', 'a').acquire();
      const waiting = cluster.elsewhere('replayed', 'b').acquire();
      await cluster.advance(2_500);
      await first.release();
      await (await cluster.settled(waiting)).release();
    });
    expect(others).toEqual([]);
    expect(term).toMatchObject({ lease: 'default/replayed', terms: { identity: 'a' } });
    expect(stepsOf(term)).toEqual(['read', 'create', 'claim', 'renew', 'renew', 'vacate']);
    expect(term?.state).toEqual({ kind: 'over', end: { how: 'released' } });
    expect(next).toMatchObject({ lease: 'default/replayed', terms: { identity: 'b' } });
    expect(stepsOf(next)).toEqual(['read', 'claim', 'vacate']);
    expect(next?.state).toEqual({ kind: 'over', end: { how: 'released' } });
  });

  it('play a term again that ran out, with the requests that were not answered', async () => {
    const [term] = await playedAgain(async (cluster) => {
      const handle = await cluster.lock('cut-off').acquire();
      cluster.api.faults.hang();
      await cluster.until('the loss', () => handle.signal.aborted);
    });
    expect(stepsOf(term)).toEqual(['read', 'create', 'claim', 'renew', 'renew', 'renew']);
    expect(term?.state).toMatchObject({ kind: 'over', end: { how: 'lost', reason: 'expired' } });
  });

  it('play a loss and a refusal again, with what the server said', async () => {
    let token: bigint | null = null;
    const [lost, refused] = await playedAgain(async (cluster) => {
      token = (await cluster.lock('overtaken').acquire()).fencingToken;
      cluster.overtake('overtaken');
      await cluster.advance(0);
      cluster.api.faults.forbid({ verb: 'create' });
      await rejection(cluster.lock('forbidden').acquire());
    });
    const end = { how: 'lost', reason: 'taken-over', token };
    expect(lost?.state).toEqual({ kind: 'over', end });
    expect(stepsOf(refused)).toEqual(['read', 'create', 'fail']);
    expect(refused?.steps.at(-1)).toMatchObject({ error: { code: 'ERR_FORBIDDEN' } });
    expect(refused?.state).toEqual({ kind: 'over', end: { how: 'withdrawn' } });
  });

  it('carry the time of the clock that the client goes by', async () => {
    await playedAgain(async (cluster) => {
      await cluster.advance(7_000);
      const handle = await cluster.lock('timed').acquire();
      await cluster.advance(1_500);
      await handle.release();
    });
    const times = lines.flatMap((line) => {
      const [, what, time] = /(does \S+ ?\S*) \{"now":\{"monotonic":(\d+)/.exec(line) ?? [];
      return what === undefined ? [] : [`${time} ${what}`];
    });
    expect(times).toEqual([
      '7000 does read',
      '7000 does create',
      '7000 does write (claim)',
      '8000 does write (renew)',
      '8500 does write (vacate)',
    ]);
  });

  it('of which one is changed or missing are found out', async () => {
    await playedAgain(async (cluster) => {
      await (await cluster.lock('forged').acquire()).release();
    });
    const about = lines.filter((line) => line.includes('default/forged'));
    expect(() => replay(about)).not.toThrow();
    const claim = about.findIndex((line) => line.includes('seeking -> holding'));
    expect(claim).toBeGreaterThan(0);
    expect(() => replay(about.toSpliced(claim, 1))).toThrow('the protocol says');
    const forged = about.map((line) => line.replace('"holder":"me"', '"holder":"you"'));
    expect(() => replay(forged)).toThrow('the protocol says');
    expect(() => replay(about.slice(1))).toThrow('how');
  });

  it('are what the page shows', () => {
    const page = 'docs/debugging.md';
    const excerpts = fencesOf(page, pages.get(page) ?? '').filter(({ text }) =>
      text.includes(':keeper default/'),
    );
    expect(excerpts).toHaveLength(1);
    const [term] = replay((excerpts[0]?.text ?? '').split('\n')).values();
    expect(term?.state).toEqual({ kind: 'over', end: { how: 'released' } });
    expect(writesOf(term)).toEqual(['claim', 'renew', 'vacate']);

    const loader = ['--import', './tools/loader.js', 'tools/replay/main.ts'];
    const input = excerpts[0]?.text ?? '';
    const { stdout } = spawnSync('node', loader, { cwd: root, input, encoding: 'utf8' });
    expect(stdout).toBe(
      `default/stock ${term?.terms.nonce} of worker-1: 5 steps, over: released\n`,
    );
  });
});
