import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { KubeLeaseWatch } from '../../../src/lease/kube/watch.js';
import { ManualClock } from '../../../src/testing/clock.js';
import { WatchRecorder } from '../../support/watch-recorder.js';
import { kubeConfigOf } from './support/kube-config.js';
import { ScriptedWire } from './support/scripted-wire.js';
import type { ScriptedStream } from './support/scripted-wire.js';
import { watchOver } from './support/watching.js';

const key = { namespace: 'team-a', name: 'a' };

let clock: ManualClock;
let wire: ScriptedWire;
let watch: KubeLeaseWatch;
let listener: WatchRecorder;

beforeEach(() => {
  clock = new ManualClock();
  wire = new ScriptedWire(clock);
  ({ watch } = watchOver(wire, clock));
  listener = new WatchRecorder();
});

afterEach(() => watch.close());

function line(type: string, version: number, holder = `v${version}`): string {
  const metadata = { name: 'a', namespace: 'team-a', uid: 'u', resourceVersion: `${version}` };
  return `${JSON.stringify({ type, object: { metadata, spec: { holderIdentity: holder } } })}\n`;
}

/** The latest connection. */
function last(): ScriptedStream {
  const stream = wire.streams.at(-1);
  if (stream === undefined) throw new Error('no watch was opened');
  return stream;
}

/** Subscribes, and lets the connection come up. */
async function subscribe(from: bigint | null): Promise<ScriptedStream> {
  watch.subscribe(key, from, listener);
  await clock.advance(0);
  return last();
}

/** When each connection was opened. */
const openedAt = (): number[] => wire.streams.map(({ at }) => at);
const askedFrom = (): (string | null)[] => wire.streams.map(({ from }) => from);

describe('a watch', () => {
  it.each([
    [0, '240'],
    [0.5, '360'],
    [0.999, '479'],
  ])(
    'asks for one name, with bookmarks, for four to eight minutes by chance (%d: %s s), always from a version',
    async (chance, seconds) => {
      ({ watch } = watchOver(wire, clock, { random: () => chance }));
      const { method, path, query } = await subscribe(null);
      expect([method, path]).toEqual([
        ...['GET', '/apis/coordination.k8s.io/v1/namespaces/team-a/leases'],
      ]);
      expect(Object.fromEntries(query)).toEqual({
        ...{ fieldSelector: 'metadata.name=a', watch: 'true' },
        ...{ allowWatchBookmarks: 'true', resourceVersion: '0', timeoutSeconds: seconds },
      });
    },
  );

  it('is ended by us when the server does not end it, half a minute after its time', async () => {
    const first = await subscribe(5n);
    first.begin();
    first.send(line('MODIFIED', 7));
    await clock.advance(240_000 + 29_999);
    expect([first.isOpen, openedAt()]).toEqual([true, [0]]);
    await clock.advance(1);
    expect(first.isOpen).toBe(false);
    expect([openedAt(), askedFrom()]).toEqual([
      [0, 270_000],
      ['5', '7'],
    ]);
    last().end();
    await clock.advance(1_000);
    expect(clock.timers).toBeLessThanOrEqual(2);
  });

  it.each([
    ['86400', 60_000],
    ['60', 60_000],
    ['5', 5_000],
  ])('keeps a pause of %s s that the server asks for, up to a minute', async (seconds, pauseMs) => {
    wire.onStream = (stream) => stream.refuse(503, {}, { 'retry-after': seconds });
    await subscribe(null);
    await clock.advance(pauseMs - 1);
    expect(openedAt()).toEqual([0]);
    await clock.advance(5_001);
    expect(openedAt().length).toBeGreaterThan(1);
  });

  it('waits for credentials no longer than for an answer, and for its turn no longer either', async () => {
    let asked = 0;
    const kubeConfig = kubeConfigOf(undefined, () => {
      return ++asked < 3 ? new Promise(() => undefined) : Promise.resolve();
    });
    ({ watch } = watchOver(wire, clock, {}, kubeConfig));
    for (let n = 0; n < 9; n++) {
      watch.subscribe({ namespace: `team-${n}`, name: 'a' }, null, new WatchRecorder());
    }
    await clock.advance(20_000);
    expect([asked, wire.streams.length]).toEqual([2, 0]);
    // Ten minutes later a question that had no answer is asked again, and all of them come up.
    await clock.advance(600_000);
    expect(asked).toBeGreaterThan(2);
    expect(wire.streams).toHaveLength(9);
  });

  it('continues from the last version, whichever line said it', async () => {
    const first = await subscribe(5n);
    first.send(line('MODIFIED', 7));
    first.end();
    await clock.advance(0);
    last().send(line('BOOKMARK', 30));
    await clock.advance(1_000);
    last().end();
    await clock.advance(0);
    expect(askedFrom()).toEqual(['5', '7', '30']);
    expect(listener.told).toEqual(['v7']);
  });

  it('tells of a gap when it comes back without ever having known a version', async () => {
    const first = await subscribe(null);
    first.reset();
    await clock.advance(250);
    expect(listener.words).toEqual(['live', 'dead', 'live', 'gap']);
    expect(askedFrom()).toEqual(['0', '0']);
  });

  it('tells of no gap when it continues where it stood', async () => {
    (await subscribe(5n)).reset();
    await clock.advance(250);
    expect(listener.words).toEqual(['live', 'dead', 'live']);
    expect(askedFrom()).toEqual(['5', '5']);
  });

  it('continues from no version of a state that was told in part', async () => {
    const wide: ScriptedStream[] = [];
    wire.onStream = (stream) => {
      stream.begin();
      if (!stream.query.has('fieldSelector')) wide.push(stream);
    };
    for (let index = 0; index < 9; index++) {
      watch.subscribe({ ...key, name: index === 0 ? 'a' : `n${index}` }, null, listener);
    }
    await clock.advance(0);
    wide[0]?.send(line('ADDED', 100));
    wide[0]?.end();
    await clock.advance(0);
    wide[1]?.send(line('ADDED', 100) + line('MODIFIED', 120));
    await clock.advance(1_000);
    wide[1]?.end();
    await clock.advance(0);
    expect(wide.map(({ from }) => from)).toEqual(['0', '0', '120']);
  });

  it('reads characters and lines that are spread over chunks', async () => {
    const stream = await subscribe(5n);
    for (const byte of Buffer.from(line('MODIFIED', 7, 'pöd-€-🙂'))) stream.send(Buffer.of(byte));
    expect(listener.told).toEqual(['pöd-€-🙂']);
  });

  it('goes on after a line without sense, and tells of a gap after one without measure', async () => {
    const stream = await subscribe(5n);
    stream.send('{"type":"MODIFIED","object":{}}\nno json\n');
    stream.send(`${'x'.repeat(2 * 2 ** 20)}\n`);
    stream.send(line('MODIFIED', 8));
    expect(listener.words).toEqual(['live', 'gap', 'v8']);
  });

  it('starts nothing after it was closed', async () => {
    watch.close();
    watch.subscribe(key, null, listener).close();
    await clock.advance(60_000);
    expect(wire.streams).toEqual([]);
  });

  it.each(['while it waits', 'while it is open', 'while it opens'])(
    'leaves neither timer nor connection when it is closed %s',
    async (when) => {
      if (when === 'while it opens') wire.onStream = () => undefined;
      const stream = await subscribe(5n);
      if (when === 'while it waits') stream.reset();
      await clock.advance(10);
      watch.close();
      await clock.advance(0);
      expect([clock.timers, wire.open]).toEqual([0, 0]);
      await clock.advance(60_000);
      expect(wire.streams).toHaveLength(1);
    },
  );
});

describe('the pause before the next connection', () => {
  it.each([
    [0, [0, 250, 750, 1_750, 3_750, 7_750, 12_750, 17_750]],
    [0.5, [0, 375, 1_125, 2_625, 5_625, 10_625, 15_625, 20_625]],
    [1, [0, 500, 1_500, 3_500, 7_500, 12_500, 17_500, 22_500]],
  ])(
    'doubles with each failure in a row up to 5 s, stretched by chance (%d)',
    async (chance, times) => {
      ({ watch } = watchOver(wire, clock, { random: () => chance }));
      wire.onStream = (stream) => stream.reset();
      await subscribe(5n);
      await clock.advance(times.at(-1) ?? 0);
      expect(openedAt()).toEqual(times);
    },
  );

  it.each([
    ['the same event', line('MODIFIED', 7), [0, 0, 250, 750, 1_750]],
    ['a page', '<html>\n</html>\n', [0, 250, 750, 1_750]],
    ['nothing', '', [0, 250, 750, 1_750]],
  ])('grows for a server that says %s and hangs up, over and over', async (_what, body, times) => {
    wire.onStream = (stream) => {
      stream.begin();
      stream.send(body);
      stream.end();
    };
    await subscribe(5n);
    await clock.advance(1_750);
    expect(openedAt()).toEqual(times);
  });

  it('is none after an end in good order of a connection that lived for a second', async () => {
    const stream = await subscribe(5n);
    await clock.advance(1_000);
    stream.end();
    await clock.advance(0);
    expect(openedAt()).toEqual([0, 1_000]);
  });

  it.each([
    [0, 1_000],
    [0.5, 1_125],
    [1, 1_250],
  ])(
    'is a share of 250 ms after a break of such a connection, by chance (%d)',
    async (chance, at) => {
      ({ watch } = watchOver(wire, clock, { random: () => chance }));
      const stream = await subscribe(5n);
      await clock.advance(1_000);
      stream.reset();
      await clock.advance(250);
      expect(openedAt()).toEqual([0, at]);
    },
  );

  it('starts over at 250 ms once a connection has lived for a second', async () => {
    wire.onStream = (stream) => stream.reset();
    await subscribe(5n);
    await clock.advance(749);
    wire.onStream = (stream) => stream.begin();
    await clock.advance(1_001);
    expect(openedAt()).toEqual([0, 250, 750]);
    wire.onStream = (stream) => stream.reset();
    last().end();
    await clock.advance(750);
    expect(openedAt()).toEqual([0, 250, 750, 1_750, 2_000, 2_500]);
  });

  it('follows 5 s after a refusal began whose body never comes', async () => {
    wire.onStream = (stream) => stream.begin(502);
    await subscribe(5n);
    await clock.advance(4_999);
    expect(last().isOpen).toBe(true);
    await clock.advance(1);
    expect(wire.streams[0]?.isOpen).toBe(false);
    await clock.advance(1_000);
    expect(wire.streams).toHaveLength(2);
  });

  it('follows 5 s without an answer', async () => {
    wire.onStream = () => undefined;
    await subscribe(5n);
    await clock.advance(4_999);
    expect(wire.open).toBe(1);
    wire.onStream = (stream) => stream.begin();
    await clock.advance(1);
    expect(wire.open).toBe(0);
    await clock.advance(250);
    expect(openedAt()).toEqual([0, 5_250]);
    expect(askedFrom()).toEqual(['5', '5']);
    expect(listener.isLive).toBe(true);
  });

  it('is at least as long as a 503 asks for', async () => {
    wire.onStream = (stream) => {
      wire.onStream = (next) => next.begin();
      stream.refuse(503, {}, { 'retry-after': '3' });
    };
    await subscribe(5n);
    await clock.advance(10_000);
    expect(openedAt()).toEqual([0, 3_250]);
    expect(listener.words).toEqual(['live']);
  });

  it('is 10 s after a 401: a rotated token is there by then', async () => {
    wire.onStream = (stream) => stream.refuse(401);
    await subscribe(5n);
    await clock.advance(30_000);
    expect(openedAt()).toEqual([0, 10_000, 20_000, 30_000]);
  });
});

describe('a version that is too old', () => {
  const gone = '{"type":"ERROR","object":{"kind":"Status","code":410}}\n';
  const sayInStream = (stream: ScriptedStream): void => {
    stream.begin();
    stream.send(gone);
  };
  const sayByStatus = (stream: ScriptedStream): void =>
    stream.refuse(410, { kind: 'Status', code: 410 });

  it.each([
    ['in the answer', sayInStream],
    ['by the answer', sayByStatus],
  ])('starts over at once from the state of now, told %s', async (_how, refuse) => {
    wire.onStream = (stream) => {
      if (stream.from === '5') refuse(stream);
      else stream.begin();
    };
    await subscribe(5n);
    expect(askedFrom()).toEqual(['5', '0']);
    expect(openedAt()).toEqual([0, 0]);
    expect(listener.words.filter((word) => word === 'gap')).toHaveLength(1);
    expect(listener.words.slice(-2)).toEqual(['live', 'gap']);
  });

  it.each([
    ['in the answer', sayInStream],
    ['by the answer', sayByStatus],
  ])('told %s whatever is asked for: no hot loop', async (_how, refuse) => {
    wire.onStream = refuse;
    await subscribe(5n);
    await clock.advance(1_750);
    expect(openedAt()).toEqual([0, 0, 250, 750, 1_750]);
    expect(askedFrom()).toEqual(['5', '0', '0', '0', '0']);
  });

  it('may be said again later: the next time, too, it starts over at once', async () => {
    wire.onStream = (stream) => (stream.from === '5' ? sayByStatus(stream) : stream.begin());
    await subscribe(5n);
    last().send(line('MODIFIED', 9));
    await clock.advance(1_000);
    wire.onStream = (stream) => (stream.from === '9' ? sayByStatus(stream) : stream.begin());
    last().end();
    await clock.advance(0);
    expect(askedFrom()).toEqual(['5', '0', '9', '0']);
    expect(openedAt()).toEqual([0, 0, 1_000, 1_000]);
    expect(listener.gaps).toBe(2);
  });
});

it('an ERROR other than 410 is a break: it waits, continues, and starts over when that persists', async () => {
  wire.onStream = (stream) => {
    stream.begin();
    stream.send('{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcd"}}\n');
  };
  await subscribe(5n);
  await clock.advance(750);
  expect(openedAt()).toEqual([0, 250, 750]);
  expect(askedFrom()).toEqual(['5', '5', '0']);
});

describe('a watch that is refused by 403', () => {
  it('is tried again soon after a first refusal, and ever later after more', async () => {
    const longestMs = 12_800;
    ({ watch } = watchOver(wire, clock, { refusedPauseMs: longestMs }));
    wire.onStream = (stream) => stream.refuse(403);
    await subscribe(null);
    await clock.advance(60_000);
    const pauses = openedAt().map((at, index, all) => at - (all[index - 1] ?? 0));
    const shares = [64, 32, 16, 8, 4, 2, 1, 1, 1].map((share) => longestMs / share);
    expect(pauses).toEqual([0, ...shares.slice(0, pauses.length - 1)]);
    expect(pauses.length).toBeGreaterThan(8);
  });

  it('is tried again soon after a refusal that follows a time when it was allowed', async () => {
    ({ watch } = watchOver(wire, clock, { refusedPauseMs: 12_800 }));
    wire.onStream = (stream) => stream.refuse(403);
    await subscribe(null);
    await clock.advance(599);
    wire.onStream = (stream) => stream.begin();
    await clock.advance(1_001);
    expect(openedAt()).toEqual([0, 200, 600]);
    wire.onStream = (stream) => stream.refuse(403);
    last().end();
    await clock.advance(200);
    expect(openedAt()).toEqual([0, 200, 600, 1_600, 1_800]);
  });

  it('comes back at other times than in other processes, by up to a quarter', async () => {
    ({ watch } = watchOver(wire, clock, { refusedPauseMs: 12_800, random: () => 1 }));
    wire.onStream = (stream) => stream.refuse(403);
    await subscribe(null);
    await clock.advance(750);
    expect(openedAt()).toEqual([0, 250, 750]);
  });

  it('is tried again after a minute at the latest, and less often with many names', async () => {
    ({ watch } = watchOver(wire, clock));
    wire.onStream = (stream) => stream.refuse(403);
    await subscribe(null);
    await clock.advance(10 * 60_000);
    const times = openedAt();
    expect((times.at(-1) ?? 0) - (times.at(-2) ?? 0)).toBe(60_000);
    watch.close();
    wire.streams.length = 0;
    ({ watch } = watchOver(wire, clock));
    for (let index = 0; index < 80; index++) {
      watch.subscribe({ ...key, name: `n${index}` }, null, listener);
    }
    await clock.advance(4 * 3_600_000);
    const ofLast = wire.streams.filter(({ query }) => query.get('fieldSelector')?.endsWith('n79'));
    const [before = 0, after = 0] = ofLast.slice(-2).map(({ at }) => at);
    expect(after - before).toBe(600_000);
  });
});

it('eight connections open at a time, the rest as these are answered', async () => {
  wire.onStream = (stream) => {
    if (!stream.query.has('fieldSelector')) stream.refuse(403);
  };
  const listeners = Array.from({ length: 20 }, () => new WatchRecorder());
  listeners.forEach((each, index) => watch.subscribe({ ...key, name: `n${index}` }, null, each));
  await clock.advance(0);
  const narrow = (): ScriptedStream[] =>
    wire.streams.filter(({ query }) => query.has('fieldSelector'));
  for (let answered = 0; answered < 20; answered++) {
    expect(narrow()).toHaveLength(Math.min(20, answered + 8));
    narrow()[answered]?.begin();
    await clock.advance(0);
  }
  expect(listeners.every(({ isLive }) => isLive)).toBe(true);
});
