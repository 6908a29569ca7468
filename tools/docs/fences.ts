// Compiles and runs the code that pages show. A fence is marked by the words after its language:
//   no-check    shown only: not compiled
//   continued   goes on where the fence of the same language before it on the page ended
//   run         also run, on an embedded server to which KUBECONFIG leads
// A `run` fence and the `continued run` ones after it are one run. A ```text fence marked `output` right after
// one of them is what that one prints, `…` standing for anything.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { startLeaseServer } from '../../src/testing/index.js';
import type { Fence } from './markdown.js';
import { root } from './source.js';

/** A fence as a file of its own. */
export interface Script {
  readonly fence: Fence;
  readonly text: string;
  /** How many lines of the text belong to the fences that this one continues. */
  readonly before: number;
}

const EXTENSIONS: Readonly<Record<string, string>> = {
  ...{ ts: '.ts', typescript: '.ts', js: '.js', javascript: '.js', mjs: '.mjs', cjs: '.cjs' },
};

/** The fences that hold code to be checked. */
export function scriptsOf(fences: readonly Fence[]): Script[] {
  const scripts: Script[] = [];
  for (const fence of fences) {
    if (!Object.hasOwn(EXTENSIONS, fence.language) || fence.marks.includes('no-check')) continue;
    const last = scripts.findLast(({ fence: { language } }) => language === fence.language);
    const start = fence.marks.includes('continued') ? `${last?.text ?? ''}\n` : '';
    const text = start + fence.text;
    scripts.push({ fence, text, before: start.split('\n').length - 1 });
  }
  return scripts;
}

/**
 * The fences that are run, each with those that go on where it ended: one process each. One that is not to be
 * run itself, but is gone on from, is part of it.
 */
export function storiesOf(fences: readonly Fence[]): (readonly Fence[])[] {
  const stories: Fence[][] = [];
  for (const { fence } of scriptsOf(fences)) {
    const story = stories.findLast(([first]) => first?.language === fence.language);
    if (fence.marks.includes('continued')) story?.push(fence);
    else stories.push([fence]);
  }
  const isRun = ({ marks }: Fence): boolean => marks.includes('run');
  return stories
    .map((story) => story.slice(0, story.findLastIndex(isRun) + 1))
    .filter((story) => story.length > 0);
}

/** Complaints of the compiler, by page and line; the package's name leads to `src/`. */
export function compile(scripts: readonly Script[]): string[] {
  const isTyped = ({ fence }: Script): boolean => EXTENSIONS[fence.language] === '.ts';
  const loose = { allowJs: true, checkJs: true, noImplicitAny: false };
  return [
    ...check(scripts.filter(isTyped), {}),
    ...check(
      scripts.filter((script) => !isTyped(script)),
      loose,
    ),
  ];
}

function check(scripts: readonly Script[], extra: ts.CompilerOptions): string[] {
  if (scripts.length === 0) return [];
  const configFile = join(root, 'tsconfig.json');
  const { config } = ts.readConfigFile(configFile, (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root, configFile);
  const all = { ...options, ...extra, configFilePath: configFile };
  const files = new Map(scripts.map((script) => [fileOf(script), script]));
  const host = ts.createCompilerHost(all);
  const disk = { ...host };
  host.readFile = (path) => files.get(resolve(path))?.text ?? disk.readFile(path);
  host.fileExists = (path) => files.has(resolve(path)) || disk.fileExists(path);
  host.getSourceFile = (path, ...rest) => {
    const text = files.get(resolve(path))?.text;
    if (text === undefined) return parsed(path, () => disk.getSourceFile(path, ...rest));
    return ts.createSourceFile(path, text, rest[0], true);
  };
  const program = ts.createProgram([...files.keys()], all, host);
  return ts.getPreEmitDiagnostics(program).flatMap((diagnostic) => complaint(diagnostic, files));
}

/** The library is the same for every program, and most of their cost. */
const known = new Map<string, ts.SourceFile | undefined>();

function parsed(path: string, parse: () => ts.SourceFile | undefined): ts.SourceFile | undefined {
  if (!known.has(path)) known.set(path, parse());
  return known.get(path);
}

/** In the folder of the page, so that modules are found as beside it. */
function fileOf({ fence: { page, line, language } }: Script): string {
  return join(root, `${page}.${line}${EXTENSIONS[language]}`);
}

function complaint(diagnostic: ts.Diagnostic, files: ReadonlyMap<string, Script>): string[] {
  const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
  const { file, start = 0 } = diagnostic;
  const script = file === undefined ? undefined : files.get(resolve(file.fileName));
  // The source itself is checked elsewhere.
  if (file !== undefined && script === undefined) return [];
  if (file === undefined || script === undefined) return [message];
  const line = file.getLineAndCharacterOfPosition(start).line - script.before;
  return line < 0 ? [] : [`${script.fence.page}:${script.fence.line + line} ${message}`];
}

const BETWEEN = '--- the next fence ---';

/** Runs a story on an embedded server of its own; rejects unless it ends by itself and well. */
export async function execute(story: readonly Fence[], limitMs = 120_000): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'fence-'));
  const api = await startLeaseServer();
  try {
    const file = join(folder, 'fence.ts');
    const texts = story.map(({ text }) => text);
    await writeFile(file, texts.join(`\nconsole.log('${BETWEEN}');\n`));
    await writeFile(join(folder, 'kubeconfig'), api.kubeConfigYaml());
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    const { code, stdout, stderr } = await runFile(file, join(folder, 'kubeconfig'), limitMs);
    if (code === 0) return stdout.split(`${BETWEEN}\n`);
    const end = code === null ? `did not end within ${limitMs} ms` : `exited with ${code}`;
    throw new Error(`${story[0]?.page}:${story[0]?.line} ${end}\n${stdout}${stderr}`);
  } finally {
    await api.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function runFile(
  file: string,
  kubeConfig: string,
  limitMs: number,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const loader = join(root, 'tools/loader.js');
  const env = { ...process.env, KUBECONFIG: kubeConfig, NODE_OPTIONS: '' };
  const child = spawn(process.execPath, ['--import', loader, file], {
    ...{ cwd: root, env, timeout: limitMs, killSignal: 'SIGKILL' as const },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const code = await new Promise<number | null>((done, reject) => {
    child.once('error', reject).once('close', done);
  });
  return { code, stdout, stderr };
}

/** The fence right after this one, if it shows its output. */
export function outputOf(fence: Fence, fences: readonly Fence[]): Fence | undefined {
  const index = fences.indexOf(fence);
  if (index < 0) throw new Error(`${fence.page}:${fence.line} is none of these fences`);
  const next = fences[index + 1];
  return next?.language === 'text' && next.marks.includes('output') ? next : undefined;
}

/** Whether a text is the one shown, where `…` stands for anything within its line. */
export function isShown(shown: string, text: string): boolean {
  const pattern = shown
    .trim()
    .split('…')
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`).test(text.trim());
}
