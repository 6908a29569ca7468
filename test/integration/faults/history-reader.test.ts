// Logs that are written while they are read.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { now } from '../../../tools/harness/processes/time.js';
import { HistoryReader } from './history-reader.js';

let folder: string;
let history: HistoryReader;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'history-'));
  history = new HistoryReader(folder);
  history.follow('a');
  await appendFile(join(folder, 'a.jsonl'), '');
});

afterEach(() => rm(folder, { recursive: true }));

function write(line: object): Promise<void> {
  return appendFile(join(folder, 'a.jsonl'), `${JSON.stringify({ lease: 'n/x', ...line })}\n`);
}

it('ends a belief with its release, and counts no loss', async () => {
  await write({ at: 1_000, event: 'won', term: 't', token: '7', until: 4_000 });
  await write({ at: 2_000, event: 'extended', term: 't', until: 5_000 });
  await history.update();
  expect(history.beliefs).toMatchObject([{ from: 1_000, until: 5_000, token: 7n }]);
  await write({ at: 2_500, event: 'ended', term: 't', reason: 'released' });
  await history.update();
  expect(history.beliefs).toMatchObject([{ from: 1_000, until: 2_500 }]);
  expect(history.lossesSince(0)).toEqual([]);
});

it('vouches for nothing that was still being written when it began to read', async () => {
  await write({ at: 1_000, event: 'won', term: 't', token: '7', until: 4_000 });
  const before = now();
  await history.update();
  expect(history.completeUntil).toBeGreaterThan(0);
  expect(history.completeUntil).toBeLessThan(before);
});

it('knows for how long a process could do nothing', async () => {
  await write({ at: 2_000, event: 'starved', since: 1_000 });
  await write({ at: 5_000, event: 'starved', since: 4_000 });
  await history.update();
  expect(history.starvedMs('a', 1_500, 4_200)).toBe(700);
});
