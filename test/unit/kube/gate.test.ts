import { describe, expect, it } from '@jest/globals';
import { Gate } from '../../../src/lease/kube/gate.js';

describe('Gate', () => {
  it('lets everything out at once while nothing is wrong', () => {
    const gate = new Gate();
    gate.left({}, 0);
    expect(gate.delay(0)).toBe(0);
  });

  it('after a failure lets out one probe at a time, starts 250 ms apart', () => {
    const gate = new Gate();
    gate.left({}, 0);
    gate.shut(0);
    expect(gate.delay(10)).toBe(240);
    expect(gate.delay(250)).toBe(0);
    const probe = {};
    gate.left(probe, 250);
    expect(gate.delay(5000)).toBe(Infinity);
    gate.done({});
    expect(gate.delay(5000)).toBe(Infinity);
    gate.done(probe);
    expect(gate.delay(300)).toBe(200);
    expect(gate.delay(1000)).toBe(0);
  });

  it('lets everything out again once it is opened, whatever became of the probe', () => {
    const gate = new Gate();
    gate.shut(0);
    gate.left({}, 0);
    gate.open();
    expect(gate.delay(1)).toBe(0);
  });
});
