// What the source declares, for pages that list it.
import ts from 'typescript';
import { readSources, walk } from './source.js';

const sources = [...readSources('src').values()];

function find<T extends ts.Node>(is: (node: ts.Node) => node is T, name: string): T {
  for (const file of sources) {
    for (const node of walk(file)) {
      if (is(node) && (node as { name?: ts.Identifier }).name?.text === name) return node;
    }
  }
  throw new Error(`the source declares no ${name}`);
}

/** Names that an entry point exports. */
export function exportsOf(entry: string): string[] {
  const file = sources.find(({ fileName }) => fileName === entry);
  const nodes = file === undefined ? [] : [...walk(file)];
  return nodes.filter(ts.isExportSpecifier).map(({ name }) => name.text);
}

export interface Member {
  /** As a caller would write it. */
  readonly type: string;
  readonly isOptional: boolean;
}

/** Members of an interface, its own alone. */
export function membersOf(name: string): Map<string, Member> {
  const { members } = find(ts.isInterfaceDeclaration, name);
  const properties = members.filter(ts.isPropertySignature);
  return new Map(
    properties.map((one) => {
      const isOptional = one.questionToken !== undefined;
      return [one.name.getText(), { type: typeText(one.type), isOptional }];
    }),
  );
}

/** Without what only says that it is not changed or may be left out. */
function typeText(type: ts.TypeNode | undefined): string {
  let text = (type?.getText() ?? '').replace(/\s+/g, ' ').replace(/ \| undefined$/, '');
  text = text.replace(/^readonly /, '').replace(/^Readonly<(.*)>$/, '$1');
  return text.replace(/^\((\(.*\) => \w+)\)$/, '$1');
}

/** The strings of a union type, wherever it is declared: by name, or as a member of an interface. */
export function literalsOf(name: string, member?: string): string[] {
  const node =
    member === undefined
      ? find(ts.isTypeAliasDeclaration, name)
      : find(ts.isInterfaceDeclaration, name).members.find((one) => one.name?.getText() === member);
  const nodes = node === undefined ? [] : [...walk(node)];
  return nodes.filter(ts.isStringLiteral).map(({ text }) => text);
}

/** Public fields that a class declares beside its code, by parameter or by property. */
export function fieldsOf(name: string): string[] {
  const { members } = find(ts.isClassDeclaration, name);
  const parameters = members.filter(ts.isConstructorDeclaration).flatMap((one) => one.parameters);
  const properties = members.filter(ts.isPropertyDeclaration);
  const isReadonly = ({ modifiers = [] }: { readonly modifiers?: Iterable<ts.Node> }): boolean =>
    [...modifiers].some(({ kind }) => kind === ts.SyntaxKind.ReadonlyKeyword);
  return [...parameters, ...properties]
    .filter(isReadonly)
    .map((one) => one.name.getText())
    .filter((field) => field !== 'code');
}

/** Methods and getters that a class adds and that are not internal to the package. */
export function publicMembersOf(name: string): string[] {
  const { members } = find(ts.isClassDeclaration, name);
  const added = members.filter((one) => ts.isMethodDeclaration(one) || ts.isGetAccessor(one));
  const names = added
    .filter((one) => !ts.isPrivateIdentifier(one.name))
    .filter(({ modifiers = [] }) =>
      [...modifiers].every(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword),
    )
    .map((one) => one.name.getText());
  return [...new Set(names)];
}
