import { describe, expect, it } from '@jest/globals';
import { bad, good } from './architecture.samples.js';
import * as rules from '../../tools/docs/rules.js';
import type { House, PackageRule } from '../../tools/docs/rules.js';
import { parse, readSources } from '../../tools/docs/source.js';
import type { Sources } from '../../tools/docs/source.js';

/** The picture, top to bottom: a row imports only from rows above it, and only from those it names. */
const house: House = {
  errors: { files: ['src/errors.ts'], imports: [] },
  callbacks: { files: ['src/callbacks.ts'], imports: [] },
  options: { files: ['src/options.ts'], imports: ['errors'] },
  names: { files: ['src/lease-name.ts'], imports: ['errors', 'options'] },

  record: { files: ['src/lease/record.ts'], imports: [] },
  clock: { files: ['src/lease/clock.ts', 'src/lease/elapsed-time.ts'], imports: [] },
  shutdown: { files: ['src/shutdown.ts'], imports: ['errors', 'options', 'clock'] },
  wait: { files: ['src/lease/wait.ts'], imports: ['clock'] },
  scopes: { files: ['src/lease/scopes.ts'], imports: [] },
  protocol: { files: ['src/lease/protocol/'], imports: ['errors', 'record', 'clock'] },
  store: { files: ['src/lease/store.ts'], imports: ['errors', 'record'] },
  diagnostics: {
    files: ['src/diagnostics.ts'],
    imports: ['errors', 'callbacks', 'record', 'protocol'],
  },
  kube: {
    files: ['src/lease/kube/'],
    imports: ['errors', 'options', 'record', 'clock', 'store', 'diagnostics'],
  },
  keeper: {
    files: [
      ...[
        'src/lease/keeper.ts',
        'src/lease/view.ts',
        'src/lease/turns.ts',
        'src/lease/alarm.ts',
        'src/lease/journal.ts',
        'src/lease/renewal.ts',
        'src/lease/ports.ts',
      ],
    ],
    imports: ['errors', 'options', 'record', 'clock', 'protocol', 'store', 'diagnostics'],
  },
  // Where the keepers of one process meet; the edge is handed in.
  host: {
    files: ['src/lease/host.ts', 'src/lease/overruns.ts', 'src/lease/outages.ts'],
    imports: ['errors', 'record', 'clock', 'protocol', 'store', 'diagnostics', 'keeper'],
  },
  // Below the rooms whose options name one, and who make one of their own where none is named.
  client: {
    files: ['src/client.ts'],
    imports: ['errors', 'callbacks', 'options', 'clock', 'kube', 'host'],
  },
  attempt: {
    files: ['src/attempt.ts'],
    imports: [
      ...['errors', 'options', 'record', 'wait', 'scopes', 'protocol', 'store'],
      ...['keeper', 'host', 'client'],
    ],
  },
  lock: {
    files: ['src/lock/'],
    imports: [
      'errors',
      'options',
      'record',
      'wait',
      'scopes',
      'store',
      'keeper',
      'host',
      'client',
      'attempt',
    ],
  },
  election: {
    files: ['src/election/'],
    imports: [
      'errors',
      'callbacks',
      'options',
      'record',
      'wait',
      'scopes',
      'store',
      'keeper',
      'host',
      'client',
      'attempt',
    ],
  },
  index: {
    files: ['src/index.ts'],
    imports: [
      ...['errors', 'options', 'names', 'shutdown', 'diagnostics', 'kube', 'host'],
      ...['client', 'lock', 'election'],
    ],
  },
  // Hears what is published, and shares nothing else with those who publish it.
  prometheus: {
    files: ['src/prometheus/'],
    imports: ['errors', 'options', 'protocol', 'diagnostics'],
  },
  opentelemetry: {
    files: ['src/opentelemetry/'],
    imports: ['errors', 'options', 'protocol', 'diagnostics'],
  },
  // A program of its own over the package. Beyond that it needs requests and options, and an attempt of its own that
  // takes the place of a term.
  cli: {
    files: ['src/cli/'],
    imports: [
      ...['errors', 'options', 'shutdown', 'record', 'clock', 'wait', 'protocol', 'kube'],
      ...['keeper', 'client', 'attempt', 'index'],
    ],
  },
  // An island: it must not share a mistake with the code that is tested on it.
  testing: { files: ['src/testing/'], imports: [] },
};

const edge = ['src/lease/kube/'];
const installed: Readonly<Record<string, PackageRule>> = {
  // Loaded by those alone who need it: it costs a second and tens of megabytes.
  '@kubernetes/client-node': { files: [...edge, 'src/cli/'], kinds: ['type', 'dynamic'] },
  // Most processes read no YAML: the files of a pod are none.
  'js-yaml': { files: edge, kinds: ['dynamic'] },
  'p-retry': { files: edge, kinds: ['value', 'type', 'dynamic'] },
  '@opentelemetry/api': { files: ['src/opentelemetry/'], kinds: ['value', 'type'] },
  'prom-client': { files: ['src/prometheus/'], kinds: ['value', 'type'] },
  commander: { files: ['src/cli/'], kinds: ['value', 'type'] },
  debug: { files: ['src/'], kinds: ['value', 'type'] },
};

/** Those that say `Pure:` in their first comment are held to it as well. */
const pure = ['src/errors.ts', 'src/options.ts', 'src/lease/record.ts', 'src/lease/protocol/'];
const timekeepers = [
  // What all of the library is given its time by.
  'src/lease/clock.ts',
  // Imports nothing from the library, so it has clocks of its own: that of the machine, and the manual one.
  'src/testing/',
  // Shows ages to people, and kills a command that does not end when it is asked to.
  'src/cli/',
];
const keeper = ['src/lease/keeper.ts', 'src/lease/view.ts'];
const shells = ['src/lock/', 'src/election/'];
const limits = { file: 400, function: 40 };
const entries = ['', 'testing/', 'opentelemetry/', 'prometheus/'].map(
  (room) => `src/${room}index.ts`,
);

const check: Readonly<Record<string, (sources: Sources) => string[]>> = {
  'imports point down the picture': (sources) => rules.layers(sources, house),
  'no imports run in a circle': rules.cycles,
  'packages are imported only where they belong': (sources) => rules.packages(sources, installed),
  'pure files stay pure': (sources) => rules.purity(sources, pure),
  'only the clock knows time': (sources) => rules.time(sources, timekeepers),
  'the keeper compares no times': (sources) => rules.instants(sources, keeper, 'comparing'),
  'lock and election reckon with no times': (sources) => {
    return rules.instants(sources, shells, 'reckoning');
  },
  'no default exports, export *, enums, namespaces, decorators': rules.forms,
  'files and functions stay short': (sources) => rules.size(sources, limits),
  'what is exported is documented': (sources) => rules.docstrings(sources, entries),
};

describe('the house', () => {
  const sources = readSources('src');

  it('is there', () => {
    expect([...sources.keys()]).toEqual(expect.arrayContaining(['src/errors.ts', ...entries]));
  });

  it('is drawn so that every row rests on rows above it', () => {
    expect(rules.direction(house)).toEqual([]);
    expect(
      rules.direction({ a: { files: [], imports: ['b'] }, b: { files: [], imports: [] } }),
    ).toEqual(['a imports b, which does not stand above it']);
  });

  it.each(Object.keys(check))('%s', (name) => {
    expect(check[name]?.(sources)).toEqual([]);
  });
});

describe('the tests', () => {
  const rooms = ['src', 'tools', 'bench', 'examples', 'demo'];
  const outside = rooms.flatMap((room) => [...readSources(room, /\.[cm]?[jt]s$/)]);

  it('are used by nothing outside of test/', () => {
    for (const room of rooms) {
      expect(outside.some(([path]) => path.startsWith(`${room}/`))).toBe(true);
    }
    expect(rules.closed(new Map(outside), 'test/')).toEqual([]);
  });

  it('would be found in use', () => {
    const files = {
      'tools/harness/a.ts': "import { b } from '../../test/support/b.js';\nimport './test/c.js';",
      'bench/a.ts': "export type { B } from '../test/b.js';",
      'examples/demo.js': "const b = await import('../test/b.js');",
      'demo/a.ts': "new URL('../test/b.ts', import.meta.url);\nimport '../testing/c.js';",
      'test/a.ts': "import './b.js';",
    };
    expect(rules.closed(parse(files), 'test/')).toEqual([
      'tools/harness/a.ts:1 reaches into test/: ../../test/support/b.js',
      'bench/a.ts:1 reaches into test/: ../test/b.js',
      'examples/demo.js:1 reaches into test/: ../test/b.js',
      'demo/a.ts:1 reaches into test/: ../test/b.ts',
    ]);
  });
});

/** Where tests of the API and of single parts go by real time, and why. Whatever else is there must not. */
const realTime: Readonly<Record<string, string>> = {
  'test/api/client/close.test.ts': 'connections of real sockets are closed',
  'test/api/client/liveness.test.ts': 'processes end by themselves, or stay alive',
  'test/api/election/exit.test.ts': 'processes end by themselves, or stay alive',
  'test/unit/runtime/clock.test.ts': 'the clock of the machine itself',
};

describe('tests of the API and of single parts', () => {
  it('go by virtual time, where real time is not what they are about', () => {
    const sources = new Map([...readSources('test/api'), ...readSources('test/unit')]);
    expect(sources.size).toBeGreaterThan(40);
    expect(rules.virtualTime(sources, realTime)).toEqual([]);
  });

  it('would be found to go by real time', () => {
    const sources = parse({
      'test/api/a.test.ts': [
        "import { sleep as pause, rejection } from '../support/promises.js';",
        "import { until } from '../support/until.js';",
        "import { setTimeout as later } from 'node:timers/promises';",
        'const begun = Date.now() + performance.now() + new Date().getTime();',
        'setInterval(f, 1);',
      ].join('\n'),
      'test/api/b.test.ts': 'setTimeout(f, 1);',
      'test/api/c/d.test.ts': 'AbortSignal.timeout(5);',
      // Near misses.
      'test/api/e.test.ts': [
        "import { isPending } from '../support/promises.js';",
        'const until = 5; api.sleep(until); cluster.elapsed(p); new Date(0); Date.parse(s);',
        "run('setTimeout(f, 1)');",
      ].join('\n'),
    });
    const exceptions = { 'test/api/b.test.ts': '', 'test/api/c/': '', 'test/api/e.test.ts': '' };
    expect(rules.virtualTime(sources, exceptions)).toEqual([
      'test/api/a.test.ts:3 uses setTimeout',
      'test/api/a.test.ts:4 uses Date.now',
      'test/api/a.test.ts:4 uses performance',
      'test/api/a.test.ts:5 uses setInterval',
      'test/api/a.test.ts:4 uses new Date()',
      'test/api/a.test.ts:1 imports sleep',
      'test/api/a.test.ts:2 imports until',
      'test/api/a.test.ts:3 imports node:timers/promises',
      'test/api/e.test.ts is excepted, and keeps to virtual time',
    ]);
  });
});

describe('the rules', () => {
  it('are each shown to bite', () => {
    expect(new Set(bad.map(([rule]) => rule))).toEqual(new Set(Object.keys(check)));
  });

  it.each(bad)('%s: finds what breaks it', (rule, files, complaints) => {
    const found = check[rule]?.(parse(files)) ?? [];
    expect([...found].sort()).toEqual([...complaints].sort());
  });

  it.each(Object.keys(check))('%s: lets near misses pass', (rule) => {
    expect(check[rule]?.(parse(good))).toEqual([]);
  });
});
