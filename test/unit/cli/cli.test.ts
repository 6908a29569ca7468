// What the page on the command line says, held against the command line.
import { describe, expect, it } from '@jest/globals';
import { loadYaml } from '@kubernetes/client-node';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { age, table } from '../../../src/cli/table.js';
import { parseDuration, parseExitCode } from '../../../src/cli/arguments.js';
import { exitCodes } from '../../../src/cli/exit-codes.js';
import { programOf, run } from '../../../src/cli/program.js';
import { Terminal } from '../../../src/cli/terminal.js';
import { readPage } from '../../../tools/docs/markdown.js';
import { codeIn, rowsOf } from '../../../tools/docs/tables.js';
import { root } from '../../../tools/docs/source.js';

const PAGE = 'docs/cli.md';
const page = readFileSync(join(root, PAGE), 'utf8');
const sink = { write: () => true };

interface CronJob {
  readonly spec: {
    readonly jobTemplate: {
      readonly spec: {
        readonly template: {
          readonly spec: { readonly containers: readonly [{ readonly command: string[] }] };
        };
      };
    };
  };
}

interface Role {
  readonly rules: readonly { readonly resourceNames?: readonly string[] }[];
}

function program() {
  const made = programOf({ terminal: new Terminal(sink, sink), end: () => undefined }, sink, sink);
  for (const command of made.commands) command.action(() => undefined);
  return made;
}

describe('the page on the command line', () => {
  const lines = readPage(PAGE, page)
    .fences.filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.split('\n'))
    .filter((line) => line.startsWith('metaparticle-sync '));

  it.each(lines)('shows what can be said: %s', async (line) => {
    const words = line.replace(/ \|.*/, '').split(' ').slice(1);
    await expect(program().parseAsync(words, { from: 'user' })).resolves.toBeDefined();
  });

  it('is what the CronJob of the examples says, under a lock that its Role names', async () => {
    const read = (name: string) => readFileSync(join(root, 'examples/deploy', name), 'utf8');
    const { spec } = loadYaml<CronJob>(read('cronjob.yaml')).spec.jobTemplate.spec.template;
    const [file, ...words] = spec.containers[0].command;
    expect(file).toBe('node_modules/.bin/metaparticle-sync');
    await expect(program().parseAsync(words, { from: 'user' })).resolves.toBeDefined();
    const { rules } = loadYaml<Role>(read('role.yaml'));
    expect(rules.flatMap(({ resourceNames = [] }) => resourceNames)).toContain(words[1]);
  });

  it('lists every command', () => {
    const listed = rowsOf(PAGE, page, 'Command line').flatMap((row) =>
      codeIn(row['command'] ?? ''),
    );
    expect(listed).toEqual(program().commands.map((command) => command.name()));
  });

  it('lists every exit code', () => {
    const listed = rowsOf(PAGE, page, 'Exit codes').flatMap((row) => row['code']?.split(', '));
    expect(listed).toEqual(['0', ...Object.values(exitCodes).map(String), '128 + _n_']);
  });

  it('is refused where it says something else', async () => {
    const wrong = program().parseAsync(['lock', 'x', '--no-such', '--', 'true'], { from: 'user' });
    await expect(wrong).rejects.toThrow("unknown option '--no-such'");
  });
});

describe('the command line', () => {
  it('shows help with examples and exit codes, and says where there is more', async () => {
    let told = '';
    const out = { write: (text: string) => (told += text) };
    expect(await run(['--help'], out, sink)).toBe(0);
    expect(told).toContain('Exit codes');
    expect(await run(['lock', '--help'], out, sink)).toBe(0);
    expect(told).toContain('metaparticle-sync lock settle-payments --no-wait');
    told = '';
    expect(await run(['loc'], sink, out)).toBe(exitCodes.usage);
    expect(told).toContain('Did you mean lock?');
  });

  it('wants durations with a unit', () => {
    const spans = ['1500ms', '30s', '1.5m', '2h'].map(parseDuration);
    expect(spans).toEqual([1_500, 30_000, 90_000, 7_200_000]);
    for (const text of ['30', '', 's', '-1s', '1 s', '1d', '0x1s']) {
      expect(() => parseDuration(text)).toThrow('A duration has a unit');
    }
  });

  it('wants exit codes that there are', () => {
    expect(['0', '9', '255'].map(parseExitCode)).toEqual([0, 9, 255]);
    for (const text of ['256', '-1', '1.5', '', 'x']) {
      expect(() => parseExitCode(text)).toThrow('whole number from 0 to 255');
    }
  });

  it('tells ages by their two greatest units', () => {
    const spans = [0, 999, 59_000, 60_000, 125_000, 3_600_000, 90_061_000, -5];
    expect(spans.map(age)).toEqual(['0s', '0s', '59s', '1m', '2m5s', '1h', '1d1h', '0s']);
  });

  it('makes columns as wide as what is in them', () => {
    expect(
      table([
        ['A', 'B'],
        ['long', 'b'],
        ['', 'c'],
      ]),
    ).toEqual([...['A      B', 'long   b', '       c']]);
    expect(table([])).toEqual([]);
  });
});
