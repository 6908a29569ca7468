import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const runner = fileURLToPath(new URL('../../tools/test-runner/run.js', import.meta.url));

/** Stands for Jest: writes results to the file that it is given, then does what `then` says. */
function fakeJest(results: object, then: string): readonly string[] {
  const numbers = {
    numPassedTests: 0,
    numFailedTests: 0,
    numRuntimeErrorTestSuites: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    ...results,
  };
  const write = `
    const file = process.argv.find((arg) => arg.startsWith('--outputFile=')).slice(13);
    require('node:fs').writeFileSync(file, ${JSON.stringify(JSON.stringify(numbers))});
    ${then}`;
  return [process.execPath, '-e', write, '--'];
}

const node = (code: string): readonly string[] => [process.execPath, '-e', code];
const hang = 'setInterval(() => {}, 1000);';
const orphan = `require('node:child_process').spawn(
  process.execPath, ['-e', ${JSON.stringify(hang)}], { stdio: 'ignore' }).unref();`;

interface Run {
  readonly lines: readonly string[];
  readonly code: number | null;
}

describe('the test run', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'run-test-'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  let tiers = 0;

  /** A file with a tier of these steps. */
  async function tierOf(...steps: readonly (readonly object[])[]): Promise<string> {
    const file = join(folder, `tier${++tiers}.js`);
    const limits = { limitSeconds: 120, endLimitSeconds: 60 };
    let stages = 0;
    const named = steps.map((step) =>
      step.map((stage) => ({ name: `s${stages++}`, ...limits, ...stage })),
    );
    const text = JSON.stringify({ steps: named });
    // Functions do not fit into JSON: a stage gets one that returns what it would say.
    const revived = `JSON.parse(${JSON.stringify(text)}, (key, value) => key === 'missing' ? async () => value : value)`;
    await writeFile(file, `export const tier = ${revived};`);
    return file;
  }

  /** Yields what was printed, line by line, and the exit code. */
  async function runTiers(...files: readonly string[]): Promise<Run> {
    const child = spawn(process.execPath, [runner, ...files], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { lines: output.trimEnd().split('\n'), code };
  }

  /** Runs stages one after the other. */
  async function run(...stages: readonly object[]): Promise<Run> {
    return runTiers(await tierOf(...stages.map((stage) => [stage])));
  }

  it('adds up what passed: one per command, each test of a Jest', async () => {
    const jest = fakeJest({ numPassedTests: 7, numPendingTests: 2 }, '');
    const { lines, code } = await run({ command: node('') }, { command: jest, jest: true });
    expect(lines.at(-1)).toBe('8 passed, 0 failed');
    expect(lines.find((line) => line.includes(' s1 '))).toMatch(
      /^ok {3}s1 .* s {3}7 passed, 2 skipped$/,
    );
    expect(code).toBe(0);
  });

  it('runs the steps of a tier one after the other, and tiers one after the other', async () => {
    const log = JSON.stringify(join(folder, 'log'));
    const note = (name: string): object => ({
      command: node(
        `fs.appendFileSync(${log}, '${name} starts, '); fs.appendFileSync(${log}, '${name} ends, ')`,
      ),
    });
    const files = [await tierOf([note('a')], [note('b')]), await tierOf([note('c')])];
    const { lines } = await runTiers(...files);
    expect(lines.at(-1)).toBe('3 passed, 0 failed');
    expect(await readFile(join(folder, 'log'), 'utf8')).toBe(
      'a starts, a ends, b starts, b ends, c starts, c ends, ',
    );
    expect(lines.filter((line) => files.some((file) => line.startsWith(`${file}: `)))).toHaveLength(
      2,
    );
  });

  it('shows what stages printed that run side by side one stage after the other', async () => {
    const say = (text: string): object => ({
      command: node(`console.log('${text} 1'); setTimeout(() => console.log('${text} 2'), 200);`),
    });
    const { lines } = await runTiers(await tierOf([say('a'), say('b')]));
    for (const text of ['a', 'b']) {
      expect(lines[lines.indexOf(`${text} 1`) + 1]).toBe(`${text} 2`);
    }
  });

  it('says in one line why a stage did not take part, and does not count it', async () => {
    const absent = { command: node('process.exit(1)'), missing: 'there is no Go' };
    const { lines, code } = await run({ command: node('') }, absent);
    expect(lines).toContain('--   s1             did not take part: there is no Go');
    expect(lines.at(-1)).toBe('1 passed, 0 failed');
    expect(code).toBe(0);
  });

  it('fails when nothing at all was tested', async () => {
    const { lines, code } = await run({ command: node(''), missing: 'there is no Go' });
    expect(lines.at(-1)).toBe('0 passed, 0 failed');
    expect(code).toBe(1);
  });

  it('repeats at the end how far proofs went, and which bounds of time were void', async () => {
    const printed = ['mutants killed 9/9', 'bounds: 3 held, 1 void: the machine stalled', 'other'];
    const say = (text: string): object => ({
      command: node(`console.error(${JSON.stringify(text)})`),
    });
    const { lines } = await run(...printed.map(say), say('bounds: 2 held, 0 void'));
    const end = lines.slice(lines.findIndex((line) => line.startsWith('ok ')));
    expect(end).toContain('mutants killed 9/9');
    expect(end).toContain('bounds of time: 5 held, 1 bounds void: the machine stalled');
    expect(end).not.toContain('other');
  });

  it('names the slowest tests, real programs that took part, and each test that was skipped', async () => {
    const test = (title: string, seconds: number, status = 'passed'): object => ({
      ...{ fullName: `${title}, kube-apiserver v1.2.3`, duration: seconds * 1000, status },
    });
    const files = [
      { name: resolve('a.test.ts'), assertionResults: [test('one', 0.5), test('two', 7)] },
      { name: resolve('b.test.ts'), assertionResults: [test('three', 3, 'pending')] },
    ];
    const results = { numPassedTests: 2, numPendingTests: 1, testResults: files };
    const { lines } = await run({ command: fakeJest(results, ''), jest: true });
    expect(lines.slice(lines.indexOf('slowest tests:') + 1, -2)).toEqual([
      '    7.0 s  a.test.ts: two, kube-apiserver v1.2.3',
      '    3.0 s  b.test.ts: three, kube-apiserver v1.2.3',
      '    0.5 s  a.test.ts: one, kube-apiserver v1.2.3',
    ]);
    expect(lines).toContain('real API server: kube-apiserver v1.2.3 took part in 2 tests');
    expect(lines).toContain('skipped: three, kube-apiserver v1.2.3');
  });

  it('goes on after a failure and fails as a whole', async () => {
    const { lines, code } = await run({ command: node('process.exit(3)') }, { command: node('') });
    expect(lines.at(-1)).toBe('1 passed, 1 failed');
    expect(lines.find((line) => line.includes(' s0 '))).toMatch(
      /^FAIL s0 .*0 passed, 1 failed, ended with exit code 3$/,
    );
    expect(code).toBe(1);
  });

  it('counts failed tests once, and files that could not be loaded', async () => {
    const results = { numPassedTests: 5, numFailedTests: 2, numRuntimeErrorTestSuites: 1 };
    const command = fakeJest(results, 'process.exit(1)');
    const { lines, code } = await run({ command, jest: true });
    expect(lines.at(-1)).toBe('5 passed, 3 failed');
    expect(code).toBe(1);
  });

  it.each([
    [
      'a Jest that fails without a failed test',
      fakeJest({ numPassedTests: 1 }, 'process.exit(1)'),
      5,
    ],
    ['a Jest that does not end', fakeJest({ numPassedTests: 1 }, hang), 0.5],
    ['a Jest that leaves a process behind', fakeJest({ numPassedTests: 1 }, orphan), 0.5],
  ])('counts %s as one failure', async (_, command, endLimitSeconds) => {
    const { lines, code } = await run({ command, jest: true, endLimitSeconds });
    expect(lines.at(-1)).toBe('1 passed, 1 failed');
    expect(code).toBe(1);
  });

  it.each([
    ['hangs', { command: node(hang), limitSeconds: 0.5 }, 'not done after 0.5 s'],
    [
      'leaves a process behind',
      { command: node(orphan), endLimitSeconds: 0.5 },
      'left processes behind',
    ],
    ['cannot be started', { command: ['/no/such/program'] }, 'could not be started'],
    ['writes no results', { command: [...node(''), '--'], jest: true }, 'wrote no results'],
  ])('fails a stage that %s', async (_, stage, complaint) => {
    const { lines, code } = await run(stage);
    expect(lines.find((line) => line.startsWith('FAIL'))).toContain(complaint);
    expect(lines.at(-1)).toBe('0 passed, 1 failed');
    expect(code).toBe(1);
  });
});
