// The last steps and events of each lease, to explain a loss.
import { subscribe } from 'node:diagnostics_channel';
import { diagnosticsChannels } from '../../../src/index.js';
import type { EventMessage, StepMessage } from '../../../src/index.js';
import { now } from './time.js';

const KEPT = 60;

const lines = new Map<string, string[]>();

function keep(lease: string, ...words: readonly (string | null)[]): void {
  const kept = lines.get(lease) ?? [];
  kept.push([now().toFixed(1), ...words.filter((word) => word !== null)].join(' '));
  if (kept.length > KEPT) kept.shift();
  lines.set(lease, kept);
}

subscribe(diagnosticsChannels.step, (message) => {
  const { lease, step, intent } = message as StepMessage;
  keep(lease, 'step', step, intent);
});
subscribe(diagnosticsChannels.event, (message) => {
  const { lease, event, before, after, verdict } = message as EventMessage;
  if (event !== 'begun') keep(lease, before, event, verdict, before === after ? null : after);
});

/** Oldest first. */
export function recall(lease: string): readonly string[] {
  return lines.get(lease) ?? [];
}
