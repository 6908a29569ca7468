// The rules of the house. Each takes sources and returns its complaints, none when all is well.
import { posix } from 'node:path';
import ts from 'typescript';
import { at, bind, importsOf, isReference, walk } from './source.js';
import type { Sources } from './source.js';

/** One row of the picture: which files, and whom they may import beside each other. */
export interface Room {
  /** Paths of files, and of folders with a slash at their end. */
  readonly files: readonly string[];
  readonly imports: readonly string[];
}
export type House = Readonly<Record<string, Room>>;

/** Whether a path is one of these files or in one of these folders. */
export function isIn(path: string, files: readonly string[]): boolean {
  return files.some((entry) => (entry.endsWith('/') ? path.startsWith(entry) : path === entry));
}

function only(sources: Sources, files: readonly string[]): ts.SourceFile[] {
  return [...sources].filter(([path]) => isIn(path, files)).map(([, file]) => file);
}

function except(sources: Sources, files: readonly string[]): ts.SourceFile[] {
  return [...sources].filter(([path]) => !isIn(path, files)).map(([, file]) => file);
}

/** Every file stands in one room, and imports only from its own and those that the room names. */
export function layers(sources: Sources, house: House): string[] {
  const roomsOf = (path: string): string[] => {
    return Object.keys(house).filter((name) => isIn(path, house[name]?.files ?? []));
  };
  const complaints: string[] = [];
  for (const [path, file] of sources) {
    const [room, second] = roomsOf(path);
    if (room === undefined || second !== undefined) {
      complaints.push(`${path} stands in ${second === undefined ? 'no room' : 'two rooms'}`);
      continue;
    }
    const allowed = [room, ...(house[room]?.imports ?? [])];
    for (const { path: target, specifier, node } of importsOf(file)) {
      if (target === null) continue;
      if (!sources.has(target))
        complaints.push(at(node, `imports ${specifier}, which is not there`));
      else if (!roomsOf(target).some((name) => allowed.includes(name))) {
        complaints.push(at(node, `imports ${target}: ${room} may not`));
      }
    }
  }
  return complaints;
}

/** The picture itself points one way: a row imports only from rows that stand above it. */
export function direction(house: House): string[] {
  const names = Object.keys(house);
  return names.flatMap((name, index) => {
    const wrong = (house[name]?.imports ?? []).filter(
      (other) => !names.slice(0, index).includes(other),
    );
    return wrong.map((other) => `${name} imports ${other}, which does not stand above it`);
  });
}

/** No file reaches itself by imports, not even by those of types. */
export function cycles(sources: Sources): string[] {
  const done = new Set<string>();
  const complaints: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) complaints.push(`cycle: ${[...trail.slice(start), path].join(' → ')}`);
    const file = sources.get(path);
    if (start >= 0 || done.has(path) || file === undefined) return;
    for (const { path: target } of importsOf(file)) {
      if (target !== null) visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
  return complaints;
}

/** Packages: only those named, only where they are named, and there only in the ways allowed. */
export interface PackageRule {
  readonly files: readonly string[];
  readonly kinds: readonly ('value' | 'type' | 'dynamic')[];
}

export function packages(
  sources: Sources,
  allowed: Readonly<Record<string, PackageRule>>,
): string[] {
  const complaints: string[] = [];
  for (const [path, file] of sources) {
    for (const { specifier, path: own, kind, node } of importsOf(file)) {
      if (own !== null || specifier.startsWith('node:')) continue;
      const rule = Object.hasOwn(allowed, specifier) ? allowed[specifier] : undefined;
      if (rule === undefined || !isIn(path, rule.files)) {
        complaints.push(at(node, `imports ${specifier}`));
      } else if (!rule.kinds.includes(kind)) {
        complaints.push(at(node, `imports ${specifier} as ${kind}`));
      }
    }
  }
  return complaints;
}

const CLOCKS_AND_TIMERS = ['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate'];
const TIME_MODULES = /^node:(timers|perf_hooks|os$)/;
const TIME_MEMBERS = ['AbortSignal.timeout', 'process.hrtime', 'process.uptime'];

function member(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return `${node.expression.getText()}.${node.name.text}`;
  if (!ts.isElementAccessExpression(node)) return undefined;
  const { expression, argumentExpression: key } = node;
  return ts.isStringLiteralLike(key) ? `${expression.getText()}.${key.text}` : undefined;
}

function* namesIn(
  file: ts.SourceFile,
  names: readonly string[],
  isHarmless: (name: ts.Identifier) => boolean = () => false,
): Generator<string> {
  for (const node of walk(file)) {
    const isNamed = ts.isIdentifier(node) && names.includes(node.text) && isReference(node);
    if (isNamed && !isHarmless(node)) yield at(node, `uses ${node.text}`);
    const path = member(node);
    if (path !== undefined && names.includes(path)) yield at(node, `uses ${path}`);
  }
}

/** `Date` as a type, or where it puts one form of a time into another: neither asks what time it is. */
function isConversion(name: ts.Identifier): boolean {
  const { parent, text } = name;
  if (text !== 'Date') return false;
  if (ts.isNewExpression(parent) && parent.expression === name) {
    const [first] = parent.arguments ?? [];
    return first !== undefined && !ts.isSpreadElement(first);
  }
  return (
    ts.isTypeReferenceNode(parent) || ['Date.parse', 'Date.UTC'].includes(member(parent) ?? '')
  );
}

/** No other file than these reads a clock or makes a timer. */
export function time(sources: Sources, allowedIn: readonly string[]): string[] {
  return except(sources, allowedIn).flatMap((file) => {
    const banned = [...CLOCKS_AND_TIMERS, ...TIME_MEMBERS, 'globalThis'];
    const names = [...namesIn(file, banned, isConversion)];
    const modules = [...importsOf(file)].filter(({ specifier, node }) => {
      // Of node:os only the up-time is a clock.
      return (
        TIME_MODULES.test(specifier) &&
        (specifier !== 'node:os' || /\buptime\b|\*/.test(node.getText()))
      );
    });
    return [...names, ...modules.map(({ specifier, node }) => at(node, `imports ${specifier}`))];
  });
}

const REAL_TIME = ['setTimeout', 'setInterval', 'performance', 'Date.now', ...TIME_MEMBERS];
/** Helpers of the tests that wait by the clock of the machine. */
const WAITING_HELPERS = /\/support\/(promises|until)\.ts$/;
const WAITS = ['sleep', 'until', 'elapsed'];

/**
 * These files go by virtual time: no timer, no clock, no polling. An exception is a file or a folder with its reason;
 * one that is not needed is a complaint, too.
 */
export function virtualTime(
  sources: Sources,
  exceptions: Readonly<Record<string, string>>,
): string[] {
  const found = [...sources].flatMap(([path, file]) => {
    const uses = [...namesIn(file, REAL_TIME), ...realTimeIn(file)];
    return uses.length > 0 ? [{ path, uses }] : [];
  });
  const excepted = Object.keys(exceptions);
  const unused = excepted.filter((name) => !found.some(({ path }) => isIn(path, [name])));
  return [
    ...found.filter(({ path }) => !isIn(path, excepted)).flatMap(({ uses }) => uses),
    ...unused.map((name) => `${name} is excepted, and keeps to virtual time`),
  ];
}

function* realTimeIn(file: ts.SourceFile): Generator<string> {
  for (const node of walk(file)) {
    const isDate = ts.isNewExpression(node) && node.expression.getText() === 'Date';
    if (isDate && (node.arguments ?? []).length === 0) yield at(node, 'uses new Date()');
  }
  for (const { specifier, path, node } of importsOf(file)) {
    if (/^(node:)?timers\/promises$/.test(specifier)) yield at(node, `imports ${specifier}`);
    if (path === null || !WAITING_HELPERS.test(path)) continue;
    const names = [...walk(node)].filter((one) => ts.isImportSpecifier(one));
    const waits = names.map(({ name, propertyName }) => (propertyName ?? name).getText());
    for (const name of waits.filter((one) => WAITS.includes(one)))
      yield at(node, `imports ${name}`);
  }
}

/** A file whose first comment says `Pure:` promises to be so. */
export function saysPure(file: ts.SourceFile): boolean {
  const [first] = ts.getLeadingCommentRanges(file.text, 0) ?? [];
  return first !== undefined && /\bPure:/.test(file.text.slice(first.pos, first.end));
}

const IMPURE = [
  ...[...CLOCKS_AND_TIMERS, 'queueMicrotask', 'process', 'globalThis', 'global', 'crypto', 'fetch'],
  ...['Math.random', 'AbortSignal.timeout', 'require', 'console'],
];

/** These files, and those that say so themselves, are functions of their arguments alone. */
export function purity(sources: Sources, pure: readonly string[]): string[] {
  const isPure = (path: string): boolean => {
    const file = sources.get(path);
    return file !== undefined && (isIn(path, pure) || saysPure(file));
  };
  return [...sources.values()]
    .filter((file) => isPure(file.fileName))
    .flatMap((file) => [...impuritiesOf(file, isPure)]);
}

function* impuritiesOf(file: ts.SourceFile, isPure: (path: string) => boolean): Generator<string> {
  yield* namesIn(file, IMPURE);
  for (const node of walk(file)) {
    const isAsync = ts.isAwaitExpression(node) || node.kind === ts.SyntaxKind.AsyncKeyword;
    if (isAsync || node.kind === ts.SyntaxKind.AwaitKeyword) yield at(node, 'is asynchronous');
    const isMath = ts.isIdentifier(node) && node.text === 'Math' && isReference(node);
    // A Math that is handed on could hand out `random` under another name.
    if (isMath && !ts.isPropertyAccessExpression(node.parent)) yield at(node, 'hands on Math');
  }
  for (const { specifier, path, kind, node } of importsOf(file)) {
    const fromPure = path === null ? false : isPure(path);
    if (kind === 'type' || fromPure) continue;
    yield at(node, `imports ${specifier}, which is not pure`);
  }
}

const TIMES = ['monotonic', 'elapsed', 'wall'];
const COMPARISONS = ['<', '>', '<=', '>=', '==', '===', '!=', '!=='];
const ARITHMETIC = ['+', '-', '*', '/', '%', '+=', '-='];

/** These files leave the comparing of instants (and the reckoning with them) to the protocol. */
export function instants(
  sources: Sources,
  files: readonly string[],
  what: 'comparing' | 'reckoning',
): string[] {
  const operators = what === 'comparing' ? COMPARISONS : [...COMPARISONS, ...ARITHMETIC];
  const isTime = (node: ts.Node): boolean => ts.isIdentifier(node) && TIMES.includes(node.text);
  return only(sources, files).flatMap((file) => {
    return [...walk(file)]
      .filter((node) => ts.isBinaryExpression(node))
      .filter((node) => operators.includes(node.operatorToken.getText()))
      .filter((node) => [...walk(node.left), ...walk(node.right)].some(isTime))
      .map((node) => at(node, `is ${what} instants: ${node.getText()}`));
  });
}

/** Only files of a folder reach into it, by an import or by any other relative path. */
export function closed(sources: Sources, folder: string): string[] {
  const outside = [...sources].filter(([path]) => !path.startsWith(folder));
  return outside.flatMap(([path, file]) => {
    return [...walk(file)]
      .filter((node) => ts.isStringLiteralLike(node))
      .filter(({ text }) => /^\.\.?\//.test(text))
      .filter(({ text }) => posix.join(posix.dirname(path), text).startsWith(folder))
      .map((node) => at(node, `reaches into ${folder}: ${node.text}`));
  });
}

/** No default exports, no `export *`, no enums, no namespaces, no decorators. */
export function forms(sources: Sources): string[] {
  return [...sources.values()].flatMap((file) => {
    return [...walk(file)].flatMap((node) => {
      const form = refused(node);
      return form === undefined ? [] : [at(node, form)];
    });
  });
}

function refused(node: ts.Node): string | undefined {
  if (ts.isExportAssignment(node)) return 'is a default export';
  if (node.kind === ts.SyntaxKind.DefaultKeyword && ts.canHaveModifiers(node.parent)) {
    return 'is a default export';
  }
  if (ts.isExportSpecifier(node) && node.name.text === 'default') return 'is a default export';
  if (ts.isExportDeclaration(node) && node.exportClause === undefined) return 'exports *';
  if (ts.isEnumDeclaration(node)) return 'is an enum';
  if (ts.isModuleDeclaration(node)) return 'is a namespace';
  return ts.isDecorator(node) ? 'is a decorator' : undefined;
}

/** No file and no function is longer than this; comments and blank lines of a function do not count. */
export function size(sources: Sources, limits: { file: number; function: number }): string[] {
  return [...sources].flatMap(([path, file]) => {
    const lines = file.text.trimEnd().split('\n').length;
    const tooLong = lines > limits.file ? [`${path} has ${lines} lines`] : [];
    const functions = [...walk(file)].filter((node) => ts.isFunctionLike(node));
    return tooLong.concat(
      functions.flatMap((node) => {
        const body = 'body' in node ? (node.body as ts.Node | undefined) : undefined;
        const length = body === undefined ? 0 : linesOfCode(body);
        const name = node.name?.getText() ?? 'a function';
        return length > limits.function ? [at(node, `${name} has ${length} lines of code`)] : [];
      }),
    );
  });
}

function linesOfCode(body: ts.Node): number {
  const file = body.getSourceFile();
  const lines = new Set<number>();
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(file);
    for (const child of children) visit(child);
    if (children.length > 0 || node.getWidth(file) === 0) return;
    const first = file.getLineAndCharacterOfPosition(node.getStart(file)).line;
    const last = file.getLineAndCharacterOfPosition(node.getEnd()).line;
    for (let line = first; line <= last; line++) lines.add(line);
  };
  const inner = ts.isBlock(body) ? body.getChildren(file).slice(1, -1) : [body];
  for (const node of inner) visit(node);
  return lines.size;
}

/** Everything that an entry point exports says what it is. */
export function docstrings(sources: Sources, entries: readonly string[]): string[] {
  const program = bind(sources);
  const checker = program.getTypeChecker();
  return entries.flatMap((entry) => {
    const file = program.getSourceFile(entry);
    const module = file === undefined ? undefined : checker.getSymbolAtLocation(file);
    if (module === undefined) return [];
    return checker.getExportsOfModule(module).flatMap((symbol) => {
      const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
      const target = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
      const isDocumented = target.getDocumentationComment(checker).length > 0;
      return isDocumented ? [] : [`${entry} exports ${symbol.name} without a docstring`];
    });
  });
}
