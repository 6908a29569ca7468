// What is dropped without a word: handles that nobody releases, iterators that nobody asks for more. Only a process of
// its own collects its garbage when it is asked to.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Garbage } from './support/garbage.js';

/** A process that hangs never ends; one that a busy machine starts slowly does. */
const LIMIT_MS = 120_000;

let garbage: Garbage;
beforeAll(async () => {
  const script = 'test/api/lock/support/garbage.ts';
  const args = ['--expose-gc', '--import', './tools/loader.js', script];
  const options = { timeout: LIMIT_MS, env: { ...process.env, NODE_OPTIONS: '' } };
  const { stdout } = await promisify(execFile)(process.execPath, args, options);
  garbage = JSON.parse(stdout) as Garbage;
}, LIMIT_MS);

describe('a handle that is garbage-collected without release()', () => {
  it.each([
    ['of acquire()', 'forgotten', 'forgetHandle'],
    ['of tryAcquire()', 'forgotten-try', 'forgetTry'],
    ['of which the token is kept', 'token-kept', 'keepToken'],
  ])('%s is warned of once, with the place where it was acquired', (_, name, caller) => {
    const [warning, ...more] = garbage.warnings[name] ?? [];
    expect(more).toEqual([]);
    expect(warning).toContain(`HANDLE_DROPPED lock default/${name}: its handle was garbage-col`);
    const place = `It was acquired at ${caller} \\(.*/test/api/lock/support/garbage\\.ts:\\d+:\\d+\\)`;
    expect(warning).toMatch(new RegExp(place));
  });

  it('is not released by that', () => {
    expect(garbage.held).toEqual(
      expect.arrayContaining(['forgotten', 'forgotten-try', 'token-kept']),
    );
  });
});

describe('there is no warning of a handle', () => {
  it.each([
    ['that is kept', 'handle-kept'],
    ['whose signal is kept', 'signal-kept'],
    ['whose signal somebody listens to', 'listened-to'],
    ['that was released', 'released'],
    ['whose lock was lost', 'lost'],
    ['of withLock() that has ended', 'with-lock'],
    ['of withLock() that goes on', 'running'],
  ])('%s', (_, name) => {
    expect(garbage.warnings[name]).toBeUndefined();
  });

  it('and whoever listens to its signal hears of a loss', () => {
    expect(garbage.losses).toEqual(['lost', 'looped: none', 'listened-to']);
    const held = ['handle-kept', 'signal-kept', 'listened-to', 'running'];
    expect(garbage.held).toEqual(expect.arrayContaining(held));
  });
});

describe('an iterator of observe()', () => {
  it('that was abandoned asks for nothing any more', () => {
    expect(garbage.looks['abandoned']).toBe(0);
    expect(garbage.looks['not-begun']).toBe(0);
  });

  it('that is kept, or waited for, goes on', () => {
    expect(garbage.looks['iterator-kept']).toBeGreaterThan(0);
    expect(garbage.looks['looped']).toBeGreaterThan(0);
  });
});
