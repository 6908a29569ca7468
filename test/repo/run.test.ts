import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const runner = fileURLToPath(new URL('../../tools/test-runner/run.js', import.meta.url));

/** Stands for Jest: writes results where it is told to, then does what `then` says. */
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

  /** Runs a plan of these tracks; yields what was printed, line by line, and the exit code. */
  async function runTracks(...tracks: readonly (readonly object[])[]): Promise<Run> {
    const plan = join(folder, 'plan.js');
    const limits = { limitSeconds: 20, endLimitSeconds: 0.5 };
    const limited = tracks.map((stages) =>
      stages.map((stage, index) => ({ name: `s${index}`, ...limits, ...stage })),
    );
    await writeFile(plan, `export const plan = ${JSON.stringify({ tracks: limited })};`);
    const child = spawn(process.execPath, [runner, plan], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { lines: output.trimEnd().split('\n'), code };
  }

  const run = (...stages: readonly object[]): Promise<Run> => runTracks(stages);

  it('adds up what passed: one per command, each test of a Jest', async () => {
    const jest = fakeJest({ numPassedTests: 7, numPendingTests: 2 }, '');
    const { lines, code } = await run({ command: node('') }, { command: jest, jest: true });
    expect(lines.at(-1)).toBe('8 passed, 0 failed');
    expect(lines.at(-2)).toMatch(/^ok {3}s1 .* s {3}7 passed, 2 skipped$/);
    expect(code).toBe(0);
  });

  it('gives way with what runs in the background, and shows what it printed when it is through', async () => {
    const session = '/proc/self/autogroup';
    const grouped = `fs.existsSync('${session}') ? fs.readFileSync('${session}', 'utf8') : 'nice 15'`;
    // Whoever started it makes it give way at once, which is not before its first words.
    const say = `setTimeout(() => {
      console.log('niceness ' + os.getPriority(), (${grouped}).trim().slice(-7));
      console.log('z');
    }, 400)`;
    const { lines } = await run({ command: node(say), background: true });
    const shown = lines.slice(lines.findIndex((line) => line.startsWith('--- ok')) + 1);
    expect(shown.slice(0, 2)).toEqual(['niceness 15 nice 15', 'z']);
  });

  it('runs tracks side by side, the stages of each in their order', async () => {
    const mark = (mine: string, awaited: string): object => {
      const [made, wanted] = [mine, awaited].map((name) => JSON.stringify(join(folder, name)));
      const waiting = `const poll = setInterval(() => fs.existsSync(${wanted}) && clearInterval(poll), 20);`;
      return { command: node(`fs.writeFileSync(${made}, ''); ${waiting}`) };
    };
    const { lines } = await runTracks([mark('a1', 'b1'), mark('a2', 'a1')], [mark('b1', 'a1')]);
    expect(lines.at(-1)).toBe('3 passed, 0 failed');
    const alone = await run({ ...mark('c1', 'c2'), limitSeconds: 1 }, mark('c2', 'c1'));
    expect(alone.lines.at(-1)).toBe('1 passed, 1 failed');
  });

  it('goes on after a failure and fails as a whole', async () => {
    const { lines, code } = await run({ command: node('process.exit(3)') }, { command: node('') });
    expect(lines.at(-1)).toBe('1 passed, 1 failed');
    expect(lines.at(-3)).toMatch(/^FAIL s0 .*0 passed, 1 failed, ended with exit code 3$/);
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
    ['a Jest that fails without a failed test', fakeJest({ numPassedTests: 1 }, 'process.exit(1)')],
    ['a Jest that does not end', fakeJest({ numPassedTests: 1 }, hang)],
    ['a Jest that leaves a process behind', fakeJest({ numPassedTests: 1 }, orphan)],
  ])('counts %s as one failure', async (_, command) => {
    const { lines, code } = await run({ command, jest: true });
    expect(lines.at(-1)).toBe('1 passed, 1 failed');
    expect(code).toBe(1);
  });

  it.each([
    ['hangs', { command: node(hang), limitSeconds: 0.5 }, 'not done after 0.5 s'],
    ['leaves a process behind', { command: node(orphan) }, 'left processes behind'],
    ['cannot be started', { command: ['/no/such/program'] }, 'could not be started'],
    ['writes no results', { command: [...node(''), '--'], jest: true }, 'wrote no results'],
  ])('fails a stage that %s', async (_, stage, complaint) => {
    const { lines, code } = await run(stage);
    expect(lines.at(-2)).toContain(complaint);
    expect(lines.at(-1)).toBe('0 passed, 1 failed');
    expect(code).toBe(1);
  });
});
