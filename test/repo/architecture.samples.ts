// For `architecture.test.ts`: sources that break a rule, and sources that nearly do.

/** What each rule must find, as `[rule, files, complaints]`. */
export type Case = readonly [
  rule: string,
  files: Record<string, string>,
  complaints: readonly string[],
];

const protocol = 'src/lease/protocol/step.ts';
const longFunction = (lines: number): string => {
  const body = Array.from({ length: lines }, (_, line) => `  // why\n\n  f(${line});`);
  return `export function long(): void {\n${body.join('\n')}\n}\n`;
};

export const bad: readonly Case[] = [
  [
    'imports point down the picture',
    {
      'src/errors.ts': "export { a } from './lease/clock.js';",
      'src/lease/clock.ts': "export const a = 1; export type B = import('../errors.js').B;",
      'src/testing/index.ts': "export const load = () => import('../errors.js');",
      'src/lock/lock.ts': "import type { K } from '../lease/kube/k.js'; export type L = K;",
      'src/lease/kube/k.ts': "import '../gone.js'; export type K = 1;",
      'src/lease/other.ts': '',
    },
    [
      'src/errors.ts:1 imports src/lease/clock.ts: errors may not',
      'src/lease/clock.ts:1 imports src/errors.ts: clock may not',
      'src/testing/index.ts:1 imports src/errors.ts: testing may not',
      'src/lock/lock.ts:1 imports src/lease/kube/k.ts: lock may not',
      'src/lease/kube/k.ts:1 imports ../gone.js, which is not there',
      'src/lease/other.ts stands in no room',
    ],
  ],
  [
    'no imports run in a circle',
    {
      'src/lock/a.ts': "import { b } from './b.js'; export const a = b;",
      'src/lock/b.ts': "export * from './c.js'; export const b = 1;",
      'src/lock/c.ts': "import type { a } from './a.js'; export type C = typeof a;",
    },
    ['cycle: src/lock/a.ts → src/lock/b.ts → src/lock/c.ts → src/lock/a.ts'],
  ],
  [
    'packages are imported only where they belong',
    {
      'src/client.ts': "import type { KubeConfig } from '@kubernetes/client-node';",
      'src/lease/kube/a.ts': "import { KubeConfig } from '@kubernetes/client-node';",
      'src/lease/kube/b.ts': "const name = 'x'; await import(name);",
      'src/lock/lock.ts': "import retry from 'p-retry'; import { readFile } from 'fs/promises';",
    },
    [
      'src/client.ts:1 imports @kubernetes/client-node',
      'src/lease/kube/a.ts:1 imports @kubernetes/client-node as value',
      'src/lease/kube/b.ts:1 imports name',
      'src/lock/lock.ts:1 imports p-retry',
      'src/lock/lock.ts:1 imports fs/promises',
    ],
  ],
  [
    'pure files stay pure',
    {
      [protocol]: [
        'export const now = () => Date.now();',
        'export const later = (f: () => void) => setTimeout(f, 1);',
        "export const luck = () => Math.random() + Math['random']();",
        'export const { random } = Math;',
        'export const mono = () => globalThis.performance.now();',
        'export const env = () => process.env;',
        'export async function f(): Promise<void> { await g(); }',
        "import { uptime } from 'node:os';",
        "import { impure } from '../clock.js';",
      ].join('\n'),
      'src/lease/clock.ts': 'export const impure = 1;',
      'src/lock/says.ts': '/** Pure: it says. */\nexport const now = () => Date.now();',
    },
    [
      `${protocol}:1 uses Date`,
      `${protocol}:2 uses setTimeout`,
      `${protocol}:3 uses Math.random`,
      `${protocol}:3 uses Math.random`,
      `${protocol}:5 uses globalThis`,
      `${protocol}:6 uses process`,
      `${protocol}:3 hands on Math`,
      `${protocol}:4 hands on Math`,
      `${protocol}:7 is asynchronous`,
      `${protocol}:7 is asynchronous`,
      `${protocol}:8 imports node:os, which is not pure`,
      `${protocol}:9 imports ../clock.js, which is not pure`,
      'src/lock/says.ts:2 uses Date',
    ],
  ],
  [
    'only the clock knows time',
    {
      'src/lock/lock.ts': [
        'export const a = () => [Date.now(), performance.now(), setInterval(f, 1)];',
        'export const b = AbortSignal.timeout(5);',
        "import { setTimeout as sleep } from 'node:timers/promises';",
        "import { hostname, uptime } from 'node:os';",
        'export const c = process.hrtime.bigint();',
      ].join('\n'),
      'src/lease/kube/k.ts': [
        'export const d = [new Date(), new Date(...a), Date(), new F(Date)];',
        'export type E = typeof Date;',
      ].join('\n'),
    },
    [
      ...Array<string>(4).fill('src/lease/kube/k.ts:1 uses Date'),
      'src/lease/kube/k.ts:2 uses Date',
      'src/lock/lock.ts:1 uses Date',
      'src/lock/lock.ts:1 uses performance',
      'src/lock/lock.ts:1 uses setInterval',
      'src/lock/lock.ts:2 uses AbortSignal.timeout',
      'src/lock/lock.ts:3 uses setTimeout',
      'src/lock/lock.ts:5 uses process.hrtime',
      'src/lock/lock.ts:3 imports node:timers/promises',
      'src/lock/lock.ts:4 imports node:os',
    ],
  ],
  [
    'the keeper compares no times',
    {
      'src/lease/keeper.ts':
        'export const a = (now: I) => now.elapsed < 5;\n' +
        'export const b = ({ monotonic }: I) => 1 + 2 === monotonic + 1;',
    },
    [
      'src/lease/keeper.ts:1 is comparing instants: now.elapsed < 5',
      'src/lease/keeper.ts:2 is comparing instants: 1 + 2 === monotonic + 1',
    ],
  ],
  [
    'lock and election reckon with no times',
    { 'src/lock/lock.ts': 'export const a = (now: I) => now.monotonic + 5;' },
    ['src/lock/lock.ts:1 is reckoning instants: now.monotonic + 5'],
  ],
  [
    'no default exports, export *, enums, namespaces, decorators',
    {
      'src/a.ts': [
        'export default 1;',
        'export default function f() {}',
        'const a = 1; export { a as default };',
        "export * from './b.js';",
        'export enum E {}',
        'export const enum C {}',
        'export namespace N {}',
        'export class K { @d m() {} }',
      ].join('\n'),
    },
    [
      'src/a.ts:1 is a default export',
      'src/a.ts:2 is a default export',
      'src/a.ts:3 is a default export',
      'src/a.ts:4 exports *',
      'src/a.ts:5 is an enum',
      'src/a.ts:6 is an enum',
      'src/a.ts:7 is a namespace',
      'src/a.ts:8 is a decorator',
    ],
  ],
  [
    'files and functions stay short',
    {
      'src/long.ts': '// a line\n'.repeat(401),
      'src/function.ts': longFunction(41),
      'src/arrow.ts': `export const text = () => \`${'\n'.repeat(41)}\`;`,
    },
    [
      'src/long.ts has 401 lines',
      'src/function.ts:1 long has 41 lines of code',
      'src/arrow.ts:1 a function has 42 lines of code',
    ],
  ],
  [
    'what is exported is documented',
    {
      'src/index.ts': "export { a, type B } from './a.js'; export const c = 1;",
      'src/a.ts': '/** Is. */\nexport const a = 1;\nexport interface B {}',
    },
    ['src/index.ts exports B without a docstring', 'src/index.ts exports c without a docstring'],
  ],
];

/** Near misses: what no rule may complain about. */
export const good: Record<string, string> = {
  'src/errors.ts': '/** A. */\nexport interface A { date: number; process(): void }',
  'src/lease/record.ts':
    "import type { KeyObject } from 'node:crypto';\n" +
    '/** Not a word about Date.now(). */\nexport const r = (m: { process: KeyObject }) => m.process;',
  'src/lease/clock.ts':
    "import { uptime } from 'node:os';\nexport const c = [Date.now(), uptime()];",
  [protocol]:
    "import type { c } from '../clock.js';\nexport const s = (a: typeof c) => Math.max(...a, 1);",
  'src/lease/kube/k.ts':
    "export const load = () => import('@kubernetes/client-node');\n" +
    'export const t = (a: Date) => [new Date(5), a, Date.parse(b), Date.UTC(2030)];',
  'src/lease/keeper.ts': 'export const k = (now: I, f: F) => (f(now) > 1 ? now.elapsed : 2);',
  'src/lock/lock.ts': "import { hostname } from 'node:os';\nexport const h = hostname();",
  'src/diagnostics.ts': longFunction(40),
};
