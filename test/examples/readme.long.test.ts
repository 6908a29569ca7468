// The page of the examples: every command that it shows is run as it stands there.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Child } from '../support/child.js';
import { brokenLinks, readPage } from '../../tools/docs/markdown.js';
import { root } from '../../tools/docs/source.js';
import { Programs } from './example-server.js';

const page = readFileSync(join(root, 'examples/README.md'), 'utf8');

/** The first cell's link → the last cell's command. */
const rows = new Map(
  [...page.matchAll(/^\| \[[^\]]+\]\(([^)]+)\).*\| `([^`]+)`\s*\|$/gm)].map(([, link, command]) => {
    return [link ?? '', command ?? ''];
  }),
);
const [serverCommand = ''] = readPage('examples/README.md', page)
  .fences.map(({ text }) => text)
  .filter((text) => text.includes('server.ts'));

/** What each says when it works, and whether it is then to be told to end. */
const programs: Readonly<Record<string, readonly [said: RegExp, endless: boolean]>> = {
  'lock.ts': [/^(page \d with token \d+\n){3}done\n$/, false],
  'election.ts': [/^batch with token \d+$/m, true],
  'observe.ts': [/^leader: \S+, token \w+$/m, true],
  'once-per-tick/ticks.ts': [/^(tick of \S+ with token \d+\n){3}$/, false],
  'postgres/guard.ts': [/^written with token .*\ntoken .* was refused: .*\n$/, false],
  'http-guard.ts': [/^the holder has written\ntoken .* was refused: .*\n$/, false],
};
/** Their tests are test/unit/testing/example.test.ts itself, and integration/{demo,deploy}.test.ts. */
const elsewhere: Readonly<Record<string, string>> = {
  '../demo/main.ts': 'npm start',
  'testing/report.test.ts': 'npm run jest -- test/unit/testing/example.test.ts',
  'deploy/deployment.yaml': 'kubectl apply -k examples/deploy',
};

it('has every example, and links only to what is there', () => {
  expect([...rows.keys()].sort()).toEqual(
    [...Object.keys(programs), ...Object.keys(elsewhere)].sort(),
  );
  expect(brokenLinks(root, new Map([['examples/README.md', page]]))).toEqual([]);
  const shown = [...page.matchAll(/examples\/([\w.-]+)/g)].map(([, name]) => name);
  const isShown = (name: string): boolean => page.includes(`](${name}`) || shown.includes(name);
  const names = readdirSync(join(root, 'examples'));
  expect(names.filter((name) => name !== 'README.md' && !isShown(name))).toEqual([]);
});

it.each(Object.entries(elsewhere))('%s has its own test', (link, command) => {
  expect(rows.get(link)).toBe(command);
  const [, path = link] = /(\S+\/\S+)$/.exec(command) ?? [];
  expect([path, join('examples', link)].some((one) => existsSync(join(root, one)))).toBe(true);
});

describe('the commands', () => {
  const children = new Map<string, Child>();
  let folder: string;
  let shell: Programs;
  let server: Child;

  // In the place of the shell that gets the command, so that signals reach the program.
  const run = (command: string): Child => shell.start('sh', ['-c', `exec env ${command}`]);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'readme-'));
    shell = new Programs(join(folder, 'kubeconfig'));
    const file = /\S+$/.exec(serverCommand)?.[0] ?? '';
    server = run(serverCommand.replace(file, shell.kubeConfigFile));
    await server.said(`export KUBECONFIG=${shell.kubeConfigFile}`);
    // Side by side: each spends its time on starting.
    for (const link of Object.keys(programs)) children.set(link, run(rows.get(link) ?? ''));
  }, 60_000);

  afterAll(async () => {
    await shell.end();
    await rm(folder, { recursive: true });
  });

  it.each(Object.entries(programs))(
    'of %s works',
    async (link, [said, endless]) => {
      const child = children.get(link)!;
      if (endless) await child.said(said);
      const { code, stdout, stderr } = await (endless ? child.stop() : child.exited);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(said);
    },
    60_000,
  );

  it('of the server ends when it is told to, and takes its file with it', async () => {
    const { code, stderr } = await server.stop();
    expect([code, stderr, existsSync(shell.kubeConfigFile)]).toEqual([0, '', false]);
  });
});
