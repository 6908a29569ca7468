/** The scopes: small ones that every test run exhausts, and larger ones for the long mode. */
import type { Scope } from './scope.js';

const base: Omit<Scope, 'name' | 'what'> = {
  attempts: [1, 1],
  durationsMs: [3_000, 3_000],
  marginMs: 0,
  renewIntervalMs: 1_000,
  ratesMs: [1_000, 1_000],
  holdOffsMs: [0, 0],
  startsVacant: true,
  watched: false,
  deleteOnRelease: false,
  sameIdentity: false,
  wallStands: false,
  slowReads: false,
  queued: false,
  heard: 1,
  rival: false,
  budgets: {},
  progressOneIn: 16,
};

function scope(name: string, what: string, over: Partial<Scope>): Scope {
  return { ...base, name, what, ...over };
}

export const scopes: readonly Scope[] = [
  scope('two-candidates', 'delays and pauses of any length, nothing lost', {}),
  scope('timeouts', 'lost requests, lost answers, writes that land late', {
    budgets: { timeouts: 1 },
  }),
];
