import { describe, expect, it } from '@jest/globals';
import {
  compile,
  execute,
  isShown,
  outputOf,
  scriptsOf,
  storiesOf,
} from '../../tools/docs/fences.js';
import { brokenLinks, readPage } from '../../tools/docs/markdown.js';
import { fencesOf } from '../../tools/docs/pages.js';
import { root } from '../../tools/docs/source.js';

const sample = `# A *sample* page: \`code\`

[here](#a-sample-page-code) [there](../README.md#no-such-heading) [file](gone.md) \`[no](link)\`
[web](https://example.com/x) [twice](#twice-1)

## Twice
## Twice

~~~ts
import { EventEmitter } from 'node:events';
const emitter: EventEmitter = 1;
~~~

- in a list
  \`\`\`ts continued
  emitter.emit('event');
  missing;
  \`\`\`

\`\`\`ts no-check
not code at all
\`\`\`

\`\`\`js
import { NoSuchThing } from 'node:events';
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

  // Our own pages are checked by `npm run types:pages`.
  it('find code that does not compile, on its line', () => {
    const at = (line: number): unknown => expect.stringContaining(`docs/sample.md:${line} `);
    expect(compile(scriptsOf(found))).toEqual([at(11), at(17), at(25)]);
  }, 600_000);

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

  const [good = [], bad = []] = storiesOf(found);

  it('run what is to be run, and tell its output from another', async () => {
    const outputs = await execute(good);
    const shown = good.map((fence) => outputOf(fence, found)?.text);
    expect(shown).toEqual(['printed …', undefined, 'true']);
    expect(outputs.slice(1)).toEqual(['', 'true\n']);
    const [first = ''] = outputs;
    expect(isShown('printed …', first)).toBe(true);
    expect(isShown('printed', first)).toBe(false);
    expect(isShown('printed …\n…', first)).toBe(false);
  }, 600_000);

  it('find what ends with another exit code than 0', async () => {
    await expect(execute(bad)).rejects.toThrow('exited with 3');
  }, 600_000);

  it('end what does not end by itself', async () => {
    const endless = bad.map((fence) => ({ ...fence, text: 'setInterval(() => {}, 1000);' }));
    await expect(execute(endless, 1_000)).rejects.toThrow('did not end within 1000 ms');
  }, 600_000);
});
