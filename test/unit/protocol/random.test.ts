import { describe, expect, it } from '@jest/globals';
import { World, type Options } from './world.js';

const SEEDS = Number(process.env['SYNC_TEST_SEEDS'] ?? 300);

function runAll(options: Options): { acquisitions: number; releases: number; losses: number } {
  const total = { acquisitions: 0, releases: 0, losses: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World(seed, options);
    world.run();
    if (world.violations.length > 0) {
      const story = world.story.slice(-60).join('\n');
      throw new Error(`seed ${seed}: ${world.violations.join('; ')}\n${story}`);
    }
    total.acquisitions += world.acquisitions;
    total.releases += world.releases;
    total.losses += world.losses;
  }
  return total;
}

describe('random stories', () => {
  const calm = { processes: 3, steps: 400, outsiders: false, wallStandsStill: false };

  it('never has two believers, tokens only grow, and locks go round', () => {
    const total = runAll(calm);
    console.log(`${SEEDS} seeds`, total);
    expect(total.acquisitions).toBeGreaterThan(SEEDS);
    expect(total.releases).toBeGreaterThan(SEEDS / 10);
    expect(total.losses).toBeGreaterThan(SEEDS / 10);
  });

  it('holds with a wall clock that stands still', () => {
    expect(runAll({ ...calm, wallStandsStill: true }).acquisitions).toBeGreaterThan(SEEDS);
  });

  it('limits an overlap that outsiders cause to the belief they cut short', () => {
    expect(runAll({ ...calm, outsiders: true }).acquisitions).toBeGreaterThan(SEEDS);
  });
});
