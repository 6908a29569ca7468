// Reading the source as a compiler does, for the rules of the house.
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** Path below the repository, with slashes → its syntax tree. */
export type Sources = ReadonlyMap<string, ts.SourceFile>;

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** The file meant, when it is one of ours. */
  readonly path: string | null;
  readonly kind: 'value' | 'type' | 'dynamic';
  readonly node: ts.Node;
}

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** All TypeScript below a folder of the repository, or the files with another ending; never what is installed there. */
export function readSources(folder: string, ending = /\.ts$/): Sources {
  const names = readdirSync(posix.join(root, folder), { recursive: true, encoding: 'utf8' });
  const own = names.filter((name) => ending.test(name) && !/(^|\/)node_modules\//.test(name));
  const paths = own.map((name) => `${folder}/${name}`);
  return parse(
    Object.fromEntries(
      paths.sort().map((path) => [path, readFileSync(posix.join(root, path), 'utf8')]),
    ),
  );
}

export function parse(files: Readonly<Record<string, string>>): Sources {
  const entries = Object.entries(files);
  return new Map(
    entries.map(([path, text]) => {
      return [path, ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true)];
    }),
  );
}

/** Every node of a file or below a node, itself included; comments are no nodes here. */
export function* walk(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  for (const child of children) yield* walk(child);
}

/** Static, re-exporting, dynamic and type imports, wherever they stand. */
export function* importsOf(file: ts.SourceFile): Generator<Import> {
  for (const node of walk(file)) {
    const found = importedBy(node);
    if (found === undefined) continue;
    const specifier = ts.isStringLiteralLike(found.from) ? found.from.text : found.from.getText();
    const path = specifier.startsWith('.')
      ? posix.join(posix.dirname(file.fileName), specifier).replace(/\.js$/, '.ts')
      : null;
    yield { specifier, path, kind: found.kind, node };
  }
}

function importedBy(node: ts.Node): { from: ts.Node; kind: Import['kind'] } | undefined {
  if (ts.isImportDeclaration(node)) {
    const isType = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    return { from: node.moduleSpecifier, kind: isType ? 'type' : 'value' };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    return { from: node.moduleSpecifier, kind: node.isTypeOnly ? 'type' : 'value' };
  }
  if (ts.isImportTypeNode(node)) {
    const { argument } = node;
    return { from: ts.isLiteralTypeNode(argument) ? argument.literal : argument, kind: 'type' };
  }
  if (ts.isExternalModuleReference(node)) return { from: node.expression, kind: 'value' };
  const [from] = ts.isCallExpression(node) ? node.arguments : [];
  if (from === undefined || !ts.isCallExpression(node)) return undefined;
  if (node.expression.kind === ts.SyntaxKind.ImportKeyword) return { from, kind: 'dynamic' };
  const isRequire = ts.isIdentifier(node.expression) && node.expression.text === 'require';
  return isRequire ? { from, kind: 'value' } : undefined;
}

/** A complaint: where, and what. */
export function at(node: ts.Node, what: string): string {
  const file = node.getSourceFile();
  const { line } = file.getLineAndCharacterOfPosition(node.getStart());
  return `${file.fileName}:${line + 1} ${what}`;
}

/** Whether an identifier stands for a variable, not for a property or the like that is called so. */
export function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isQualifiedName(parent)) return parent.left === node;
  if (ts.isBindingElement(parent)) return parent.propertyName !== node;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) {
    return (parent.propertyName ?? parent.name) === node;
  }
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  const isMember = ts.isClassElement(parent) || ts.isTypeElement(parent);
  const isNamed = isMember || ts.isObjectLiteralElement(parent) || ts.isNamedTupleMember(parent);
  return !(isNamed && parent.name === node);
}

/** A program of these files alone, without the library: for questions about symbols, not about types. */
export function bind(sources: Sources): ts.Program {
  const host: ts.CompilerHost = {
    getSourceFile: (path) => sources.get(path),
    fileExists: (path) => sources.has(path),
    readFile: (path) => sources.get(path)?.text,
    getDefaultLibFileName: () => 'lib.d.ts',
    writeFile: () => undefined,
    getCurrentDirectory: () => '',
    getCanonicalFileName: (path) => path,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
  };
  const options: ts.CompilerOptions = {
    noLib: true,
    types: [],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  return ts.createProgram([...sources.keys()], options, host);
}
