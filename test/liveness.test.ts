// When a process that uses the library ends by itself, and when it does not.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Workshop } from './support/child.js';
import type { Child } from './support/child.js';
import { sleep, until } from './support/promises.js';
import { World } from './support/world.js';

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

describe('a process ends by itself, without close(),', () => {
  it.concurrent.each([
    [
      'after acquire and release',
      `const handle = await lock('job').acquire();
       console.log(await handle.release() ? 'done' : 'not released');`,
    ],
    [
      'after a release with keepProcessAlive off',
      `const handle = await lock('job', { keepProcessAlive: true }).acquire();
       console.log(await handle.release() ? 'done' : 'not released');`,
    ],
    ['after withLock', `await lock('job').withLock(() => sleep(1)); console.log('done');`],
    [
      'after many locks',
      `const names = Array.from({ length: 20 }, (_, index) => 'job-' + index);
       const handles = await Promise.all(names.map((name) => lock(name).acquire()));
       await Promise.all(handles.map((handle) => handle.release()));
       console.log('done');`,
    ],
    [
      'after a wait that timed out',
      `const error = await lock('taken').acquire({ timeoutMs: 300 }).catch((error) => error);
       console.log(error.code === 'ERR_ACQUIRE_TIMEOUT' ? 'done' : error);`,
    ],
    [
      'after a wait that was called off',
      `const stop = new AbortController();
       const waiting = lock('taken').acquire({ signal: stop.signal });
       setTimeout(() => stop.abort('enough'), 300);
       await waiting.catch(console.log);
       console.log('done');`,
    ],
    [
      'after tryAcquire of a lock that somebody holds',
      `console.log(await lock('taken').tryAcquire() === null ? 'done' : 'acquired');`,
    ],
    [
      'after close()',
      `await lock('job').acquire();
       lock('taken').acquire().catch(() => undefined);
       await sleep(200);
       await client.close();
       console.log('done');`,
    ],
    [
      'after releasing while keepProcessAlive is off',
      `const handle = await new Promise((resolve) => {
         setTimeout(() => undefined, 2_000).unref();
         const anchor = setInterval(() => undefined, 1_000);
         lock('job', { keepProcessAlive: false }).acquire().then((handle) => {
           clearInterval(anchor);
           resolve(handle);
         });
       });
       console.log(await handle.release() ? 'done' : 'not released');`,
    ],
  ])('%s', async (_, script) => {
    await using world = await World.start();
    world.occupy('taken', { leaseDurationSeconds: 60 });
    await endsAfter(await workshop.start(script, { api: world.api }), 'done');
    const held = world.api.leases.list().filter(({ spec }) => spec.holderIdentity === 'child');
    expect(held).toEqual([]);
  });

  it.concurrent('when the lock it holds is lost', async () => {
    await using world = await World.start();
    const script = `await lock('job').acquire(); console.log('acquired');`;
    const child = await workshop.start(script, { api: world.api });
    await child.said('acquired');
    await sleep(300);
    world.api.leases.delete('default', 'job');
    const deletedAt = performance.now();
    expect(await child.exited).toMatchObject({ code: 0, stderr: '' });
    expect(performance.now() - deletedAt).toBeLessThan(1_000 + PROMPT_MS);
  });

  it.concurrent('with the client that all share who name none', async () => {
    await using world = await World.start();
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
    ['holding', `await lock('job', { keepProcessAlive: true }).acquire({}).then(ready);`],
    ['waiting', `lock('taken', { keepProcessAlive: false }).acquire(); ready();`],
  ])('%s, when keepProcessAlive is off', async (kind, line) => {
    await using world = await World.start();
    world.occupy('taken', { leaseDurationSeconds: 60 });
    const off = line.replace('keepProcessAlive: true', 'keepProcessAlive: false');
    // Something else has to keep it alive until the lock is there.
    const script = `
      const anchor = setInterval(() => undefined, 1_000);
      const ready = () => setTimeout(() => { clearInterval(anchor); console.log('ready'); }, 300);
      ${off}`;
    await endsAfter(await workshop.start(script, { api: world.api }), 'ready');
    if (kind === 'holding') expect(world.holder('job')).toBe('child');
  });
});

describe('a process stays alive while it', () => {
  it.concurrent('holds a lock, and goes on renewing', async () => {
    await using world = await World.start();
    const script = `await lock('job').acquire(); console.log('acquired');`;
    const child = await workshop.start(script, { api: world.api });
    await child.said('acquired');
    const { renewTime } = world.spec('job');
    await sleep(2_500);
    expect(child.isAlive).toBe(true);
    expect(world.spec('job').renewTime).not.toBe(renewTime);
    await child.kill();
  });

  it.concurrent('waits for one, and gets it', async () => {
    await using world = await World.start();
    const held = await world.lock('job').acquire();
    const script = `lock('job').acquire().then((handle) => handle.release()).then(() => console.log('done'));`;
    const child = await workshop.start(script, { api: world.api });
    await until('a watch of the child', () => world.api.requests.counts.watch >= 2, 10_000);
    await sleep(1_500);
    expect(child.isAlive).toBe(true);
    await held.release();
    await endsAfter(child, 'done');
  });

  it.concurrent('waits in the local queue', async () => {
    await using world = await World.start();
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
