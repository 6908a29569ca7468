import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compile, execute, isShown, outputOf, scriptsOf, storiesOf } from './tools/fences.js';
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

const byPage = [...pages].map(([name, text]) => fencesOf(name, text));
const fences = byPage.flat();
const scripts = byPage.flatMap(scriptsOf);
const stories = byPage.flatMap(storiesOf);

function linesOf(story: readonly Fence[]): string {
  return `${story[0]?.page}:${story.map(({ line }) => line).join(', ')}`;
}

describe('the pages', () => {
  it('include a README with code, some of which is run here', () => {
    expect(stories.flat().map(({ page }) => page)).toContain('README.md');
  });

  it('show only code that compiles', () => {
    expect(compile(scripts)).toEqual([]);
  }, 60_000);

  it('link only to what is there', () => {
    expect(brokenLinks(root, pages)).toEqual([]);
  });

  it.concurrent.each(stories.map((story) => ({ story, lines: linesOf(story) })))(
    '$lines: what is run there prints what is shown',
    async ({ story }) => {
      const outputs = await execute(story);
      const shown = story.map((fence) => outputOf(fence, fences)?.text.trim());
      const printed = outputs.map((output, index) => {
        const expected = shown[index];
        const isAsShown = expected === undefined || isShown(expected, output);
        return isAsShown ? expected : output.trim();
      });
      expect(printed).toEqual(shown);
    },
    60_000,
  );
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

\`\`\`ts continued
const more = process.pid + 1;
\`\`\`

\`\`\`ts continued run
console.log(more - 1 === process.pid);
\`\`\`

\`\`\`text output
true
\`\`\`

\`\`\`ts continued
neverRun();
declare function neverRun(): void;
\`\`\`

\`\`\`ts run
process.exit(3);
\`\`\`
`;

describe('the checks of the pages', () => {
  const found = fencesOf('docs/sample.md', sample);
  const checked = scriptsOf(found);

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
    const [good, bad] = storiesOf(found);
    if (good === undefined || bad === undefined) throw new Error('the sample has two to run');
    const outputs = await execute(good);
    const shown = good.map((fence) => outputOf(fence, found)?.text);
    expect(shown).toEqual(['printed …', undefined, 'true']);
    expect(outputs.slice(1)).toEqual(['', 'true\n']);
    const [first = ''] = outputs;
    expect(isShown('printed …', first)).toBe(true);
    expect(isShown('printed', first)).toBe(false);
    expect(isShown('printed …\n…', first)).toBe(false);
    await expect(execute(bad)).rejects.toThrow('exited with 3');
    const endless = bad.map((fence) => ({ ...fence, text: 'setInterval(() => {}, 1000);' }));
    await expect(execute(endless, 1_000)).rejects.toThrow('did not end within 1000 ms');
  }, 60_000);
});
