import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compile, execute, isShown, outputOf, scriptsOf } from './tools/fences.js';
import { brokenLinks, readPage } from './tools/markdown.js';
import type { Fence } from './tools/markdown.js';
import { root } from './tools/source.js';

const docs = existsSync(join(root, 'docs')) ? readdirSync(join(root, 'docs')).sort() : [];
const names = [
  ...['README.md', 'CHANGELOG.md'].filter((name) => existsSync(join(root, name))),
  ...docs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
];
const pages = new Map(names.map((name) => [name, readFileSync(join(root, name), 'utf8')]));

function fencesOf(page: string, text: string): readonly Fence[] {
  return readPage(page, text).fences;
}

const fences = [...pages].flatMap(([name, text]) => fencesOf(name, text));
const scripts = [...pages].flatMap(([name, text]) => scriptsOf(fencesOf(name, text)));
const runnable = scripts.filter(({ fence }) => fence.marks.includes('run'));

describe('the pages', () => {
  it('include a README with code, some of which is run here', () => {
    expect(runnable.map(({ fence }) => fence.page)).toContain('README.md');
  });

  it('show only code that compiles', () => {
    expect(compile(scripts)).toEqual([]);
  }, 60_000);

  it('link only to what is there', () => {
    expect(brokenLinks(root, pages)).toEqual([]);
  });

  for (const script of runnable) {
    const { fence } = script;
    it(`${fence.page}:${fence.line} runs, and prints what is shown`, async () => {
      const output = await execute(script);
      const shown = outputOf(fence, fences);
      if (shown !== undefined && !isShown(shown.text, output)) {
        expect(output.trim()).toBe(shown.text.trim());
      }
    }, 30_000);
  }
});

const sample = `# A *sample* page: \`code\`

[here](#a-sample-page-code) [there](../README.md#no-such-heading) [file](gone.md) \`[no](link)\`
[web](https://example.com/x) [twice](#twice-1)

## Twice
## Twice

~~~ts
import { Lock } from '@metaparticle/sync';
const lock: Lock = 1;
~~~

- in a list
  \`\`\`ts continued
  lock.name;
  missing;
  \`\`\`

\`\`\`ts no-check
not code at all
\`\`\`

\`\`\`js
import { NoSuchThing } from '@metaparticle/sync';
const f = (untyped) => untyped;
await f(1);
\`\`\`

\`\`\`ts run
console.log('printed', process.pid);
\`\`\`

\`\`\`text output
printed …
\`\`\`

\`\`\`ts run
process.exit(3);
\`\`\`
`;

describe('the checks of the pages', () => {
  const found = fencesOf('docs/sample.md', sample);
  const checked = scriptsOf(found);
  const runs = checked.filter(({ fence }) => fence.marks.includes('run'));

  it('find code that does not compile, on its line', () => {
    const at = (line: number): unknown => expect.stringContaining(`docs/sample.md:${line} `);
    expect(compile(checked)).toEqual([at(11), at(17), at(25)]);
  }, 60_000);

  it('find links that lead nowhere', () => {
    const all = new Map([
      ['docs/sample.md', sample],
      ['README.md', '# Heading'],
    ]);
    expect(brokenLinks(root, all)).toEqual([
      'docs/sample.md:3 links to ../README.md#no-such-heading, which is not there',
      'docs/sample.md:3 links to gone.md, which is not there',
    ]);
  });

  it('find a fence that never ends', () => {
    expect(() => readPage('a.md', 'text\n```ts\nlet a;\n')).toThrow('a.md:2 opens a fence');
  });

  it('run what is to be run, and tell its output from another', async () => {
    const [good, bad] = runs;
    if (good === undefined || bad === undefined) throw new Error('the sample has two to run');
    const output = await execute(good);
    const shown = outputOf(good.fence, found);
    expect(isShown(shown?.text ?? '', output)).toBe(true);
    expect(isShown('printed', output)).toBe(false);
    expect(isShown('printed …\n…', output)).toBe(false);
    expect(outputOf(bad.fence, found)).toBeUndefined();
    await expect(execute(bad)).rejects.toThrow('exited with 3');
    const endless = { ...good, text: 'setInterval(() => {}, 1000);' };
    await expect(execute(endless, 1_000)).rejects.toThrow('did not end within 1000 ms');
  }, 60_000);
});
