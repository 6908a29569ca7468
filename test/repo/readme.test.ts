// Each story starts a process and has a server in this one: nothing here may keep the event loop busy.
import { describe, expect, it } from '@jest/globals';
import { execute, isShown, outputOf, storiesOf } from '../../tools/docs/fences.js';
import { brokenLinks } from '../../tools/docs/markdown.js';
import type { Fence } from '../../tools/docs/markdown.js';
import { fencesOf, pages } from '../../tools/docs/pages.js';
import { root } from '../../tools/docs/source.js';

const byPage = [...pages].map(([name, text]) => fencesOf(name, text));
const fences = byPage.flat();
const stories = byPage.flatMap(storiesOf);

function linesOf(story: readonly Fence[]): string {
  return `${story[0]?.page}:${story.map(({ line }) => line).join(', ')}`;
}

describe('the pages', () => {
  it('include a README with code, some of which is run here', () => {
    expect(stories.flat().map(({ page }) => page)).toContain('README.md');
  });

  it('link only to what is there', () => {
    expect(brokenLinks(root, pages)).toEqual([]);
  });

  it.each(stories.map((story) => ({ story, lines: linesOf(story) })))(
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
    300_000,
  );
});
