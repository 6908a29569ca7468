// What DEBUG prints suffices to play an attempt again.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { LeaseClient, Lock } from '@metaparticle/sync';
import debug from 'debug';
import { spawnSync } from 'node:child_process';
import { format } from 'node:util';
import { startLeaseServer, type LeaseServer } from '../../../src/testing/index.js';
import { rejection, until } from '../../support/promises.js';
import { replay, type Replay } from '../../../tools/replay/replay.js';
import { fencesOf, pages } from '../../../tools/docs/pages.js';
import { root } from '../../../tools/docs/source.js';

const QUICK = { leaseDurationMs: 4_000, renewIntervalMs: 1_000, marginMs: 500 };

let api: LeaseServer;
let lines: string[];
const print = debug.log;
beforeAll(async () => {
  api = await startLeaseServer();
});
afterAll(() => api.close());
beforeEach(() => {
  lines = [];
  debug.log = (...args: unknown[]) => void lines.push(format(...args));
  debug.enable('metaparticle:sync:*');
});
afterEach(() => {
  debug.disable();
  debug.log = print;
  api.faults.clear();
});

function playAgain(): Replay[] {
  return [...replay(lines).values()];
}

function writesOf(attempt: Replay | undefined): string[] {
  return (attempt?.steps ?? []).flatMap((step) => (step.do === 'write' ? [step.write.intent] : []));
}

describe('lines of DEBUG=metaparticle:sync:keeper', () => {
  it('play a term again, from the wish to the release, and the wait of the next one', async () => {
    await using client = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'a' });
    await using other = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'b' });
    const first = await new Lock('replayed', { client, ...QUICK }).acquire();
    const waiting = new Lock('replayed', { client: other, ...QUICK }).acquire();
    await until(
      'a renewal',
      () => lines.some((line) => line.includes('does write (renew)')),
      5_000,
    );
    await until('its answer', () => first.remainingMs() > 2_500, 5_000);
    await first.release();
    await (await waiting).release();
    await Promise.all([client.close(), other.close()]);
    const [term, next] = playAgain();
    expect(term).toMatchObject({ lease: 'default/replayed', terms: { identity: 'a' } });
    expect(term?.state).toEqual({ kind: 'over', end: { how: 'released' } });
    expect(writesOf(term)).toEqual(['claim', 'renew', 'vacate']);
    expect(next?.state).toEqual({ kind: 'over', end: { how: 'released' } });
    expect(writesOf(next)).toEqual(['claim', 'vacate']);
  });

  it('play a loss and a refusal again, with what the server said', async () => {
    await using client = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'a' });
    const handle = await new Lock('overtaken', { client, ...QUICK }).acquire();
    const token = handle.fencingToken;
    api.leases.edit('default', 'overtaken', ({ spec }) => (spec.holderIdentity = 'somebody'));
    await until('the loss', () => handle.signal.aborted, 5_000);
    api.faults.forbid(({ verb }) => verb === 'create');
    await rejection(new Lock('forbidden', { client, ...QUICK }).acquire());
    await client.close();
    const [lost, refused] = playAgain();
    expect(lost?.state).toEqual({
      kind: 'over',
      end: { how: 'lost', reason: 'taken-over', token },
    });
    expect(refused?.steps.at(-1)).toMatchObject({ do: 'fail', error: { code: 'ERR_FORBIDDEN' } });
    expect(refused?.state).toMatchObject({ kind: 'over', end: { how: 'withdrawn' } });
  });

  it('of which one is changed or missing are found out', async () => {
    await using client = new LeaseClient({ kubeConfig: api.kubeConfig, identity: 'a' });
    await (await new Lock('forged', { client, ...QUICK }).acquire()).release();
    await client.close();
    const about = lines.filter((line) => line.includes('default/forged'));
    expect(() => replay(about)).not.toThrow();
    const claim = about.findIndex((line) => line.includes('seeking -> holding'));
    expect(claim).toBeGreaterThan(0);
    expect(() => replay(about.toSpliced(claim, 1))).toThrow('the protocol says');
    const forged = about.map((line) => line.replace('"holder":"a"', '"holder":"b"'));
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
      `default/nightly ${term?.terms.nonce} of worker-1: 5 steps, over: released\n`,
    );
  });
});
