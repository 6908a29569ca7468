import { isVacant, type Lease } from '../../../src/lease/record.js';

export function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}

/** A Lease as the trace shows it. */
export function versionOf({ version, record }: Lease): string {
  return `version ${version}, ${isVacant(record) ? 'vacant' : `held by ${record.holder}`}`;
}

/** What a write is for. */
export const NOUNS = {
  claim: 'claim',
  renew: 'renewal',
  vacate: 'release',
  bump: 'bump',
  announce: 'announcement',
} as const;
