// When a process that uses the library ends by itself, and when it does not.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Workshop } from '../../support/child.js';
import type { Child } from '../../support/child.js';
import { sleep, until } from '../../support/promises.js';
import { SocketCluster } from '../../support/cluster.js';

let workshop: Workshop;
beforeAll(async () => {
  workshop = await Workshop.open();
});
afterAll(() => workshop[Symbol.asyncDispose]());

/** Idle sockets of keep-alive would hold a process for seconds; nothing of ours may for half of one. */
const PROMPT_MS = 1_500;

/** Asserts that the child ends by itself, promptly after it said `word`, without a complaint. */
async function endsAfter(child: Child, word: string): Promise<void> {
  await child.said(word);
  const saidAt = performance.now();
  const { code, signal, stderr } = await child.exited;
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  expect(performance.now() - saidAt).toBeLessThan(PROMPT_MS);
}

// One block, since Jest lets only tests of one block wait beside each other.
describe('a process', () => {
  it.concurrent.each([
    [
      'after all that can become of a lock',
      `const error = await lock('taken').acquire({ timeoutMs: 200 }).catch((error) => error);
       const stop = new AbortController();
       setTimeout(() => stop.abort('enough'), 200);
       const reason = await lock('taken').acquire({ signal: stop.signal }).catch((reason) => reason);
       const nothing = await lock('taken').tryAcquire();
       await lock('job').withLock(() => sleep(1));
       const handle = await lock('job').acquire();
       const isReleased = await handle.release();
       console.log(error.code, reason, nothing, isReleased, 'done');`,
      'ERR_ACQUIRE_TIMEOUT enough null true done',
    ],
    [
      'after many locks',
      `const names = Array.from({ length: 20 }, (_, index) => 'job-' + index);
       const handles = await Promise.all(names.map((name) => lock(name).acquire()));
       const released = await Promise.all(handles.map((handle) => handle.release()));
       console.log(new Set(released), 'done');`,
      'Set(1) { true } done',
    ],
    [
      'after many waits by one signal',
      `const { signal } = new AbortController();
       const names = Array.from({ length: 20 }, (_, index) => 'job-' + index);
       const handles = await Promise.all(names.map((name) => lock(name).acquire({ signal })));
       await Promise.all(handles.map((handle) => handle.release()));
       console.log('done');`,
      'done',
    ],
    [
      'after close()',
      `await lock('job').acquire();
       lock('taken').acquire().catch(() => undefined);
       await sleep(200);
       await client.close();
       console.log('done');`,
      'done',
    ],
    [
      'after a release, which is completed also where keepProcessAlive is off',
      `const anchor = setInterval(() => undefined, 1_000);
       const handle = await lock('job', { keepProcessAlive: false }).acquire();
       clearInterval(anchor);
       console.log(await handle.release(), 'done');`,
      'true done',
    ],
  ])('ends by itself %s', async (_, script, words) => {
    await using world = await SocketCluster.start();
    world.occupy('taken', { leaseDurationSeconds: 60 });
    const child = await workshop.start(script, { api: world.api });
    await endsAfter(child, 'done');
    expect((await child.exited).stdout).toBe(`${words}\n`);
    const held = world.api.leases.list().filter(({ spec }) => spec.holderIdentity === 'child');
    expect(held).toEqual([]);
  });

  it.concurrent('ends by itself when the lock it holds is lost', async () => {
    await using world = await SocketCluster.start();
    const script = `await lock('job').acquire(); console.log('acquired');`;
    const child = await workshop.start(script, { api: world.api });
    await child.said('acquired');
    await sleep(300);
    world.api.leases.delete('default', 'job');
    const deletedAt = performance.now();
    expect(await child.exited).toMatchObject({ code: 0, stderr: '' });
    expect(performance.now() - deletedAt).toBeLessThan(1_000 + PROMPT_MS);
  });

  it.concurrent('ends by itself with the client that all share who name none', async () => {
    await using world = await SocketCluster.start();
    const KUBECONFIG = join(workshop.folder, 'kubeconfig');
    await writeFile(KUBECONFIG, world.api.kubeConfigYaml({ namespace: 'team' }));
    const script = `
      const handle = await new Lock('job').acquire();
      console.log(handle.name);
      console.log(await handle.release() ? 'done' : 'not released');`;
    const child = await workshop.start(script, { env: { KUBECONFIG } });
    await endsAfter(child, 'done');
    expect((await child.exited).stdout).toContain('team/job');
  });

  it.concurrent.each([
    ['holding', `lock('job', { keepProcessAlive: false }).acquire().then(ready);`],
    ['waiting', `lock('taken', { keepProcessAlive: false }).acquire(); ready();`],
  ])('ends by itself while %s, when keepProcessAlive is off', async (kind, line) => {
    await using world = await SocketCluster.start();
    world.occupy('taken', { leaseDurationSeconds: 60 });
    // Something else has to keep it alive until the lock is there.
    const script = `
      const anchor = setInterval(() => undefined, 1_000);
      const ready = () => setTimeout(() => { clearInterval(anchor); console.log('ready'); }, 300);
      ${line}`;
    await endsAfter(await workshop.start(script, { api: world.api }), 'ready');
    if (kind === 'holding') expect(world.holder('job')).toBe('child');
  });
  it.concurrent('stays alive while it holds a lock, and goes on renewing', async () => {
    await using world = await SocketCluster.start();
    const script = `await lock('job').acquire(); console.log('acquired');`;
    const child = await workshop.start(script, { api: world.api });
    await child.said('acquired');
    const { renewTime } = world.spec('job');
    await sleep(2_500);
    expect(child.isAlive).toBe(true);
    expect(world.spec('job').renewTime).not.toBe(renewTime);
    await child.kill();
  });

  it.concurrent('stays alive while it waits for one, and gets it', async () => {
    await using world = await SocketCluster.start();
    const held = await world.lock('job').acquire();
    const script = `lock('job').acquire().then((handle) => handle.release()).then(() => console.log('done'));`;
    const child = await workshop.start(script, { api: world.api });
    await until('a watch of the child', () => world.api.requests.counts.watch >= 2, 10_000);
    await sleep(1_500);
    expect(child.isAlive).toBe(true);
    await held.release();
    await endsAfter(child, 'done');
  });

  it.concurrent('stays alive while it waits in the local queue', async () => {
    await using world = await SocketCluster.start();
    world.occupy('taken', { leaseDurationSeconds: 60 });
    const script = `
      const stop = new AbortController();
      lock('taken', { keepProcessAlive: false }).acquire();
      lock('taken').acquire({ signal: stop.signal }).catch(() => console.log('done'));
      setTimeout(() => stop.abort(), 1_500).unref();
      console.log('waiting');`;
    const child = await workshop.start(script, { api: world.api });
    await child.said('waiting');
    await sleep(800);
    expect(child.isAlive).toBe(true);
    await endsAfter(child, 'done');
  });
});
