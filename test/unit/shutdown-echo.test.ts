import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { shutdownSignal } from '@metaparticle/sync';
import { systemClock } from '../../src/lease/clock.js';

let now = 0;

afterEach(() => {
  jest.restoreAllMocks();
  process.removeAllListeners('SIGUSR2');
});

describe('a shutdown signal', () => {
  it('takes an echo within half a second for the same request, and what comes later for another one', () => {
    jest.spyOn(systemClock, 'monotonic').mockImplementation(() => now);
    const exit = jest.spyOn(process, 'exit').mockImplementation(() => undefined as never);
    // Named twice, it is still one request.
    const signal = shutdownSignal({ signals: ['SIGUSR2', 'SIGUSR2'] });
    now = 1_000;
    process.emit('SIGUSR2');
    expect(signal.aborted).toBe(true);
    now = 1_500;
    process.emit('SIGUSR2');
    expect(exit).not.toHaveBeenCalled();
    now = 1_501;
    process.emit('SIGUSR2');
    expect(exit.mock.calls).toEqual([[128 + 12]]);
  });
});
