import { describe, expect, it } from '@jest/globals';
import { Gate } from '../../../src/lease/kube/gate.js';

const FAR = 1e9;

describe('Gate', () => {
  it('lets everything out at once while nothing is wrong', () => {
    const gate = new Gate();
    gate.left({}, 0);
    expect(gate.delay(0, FAR)).toBe(0);
  });

  it('after a failure lets out one probe at a time, starts 250 ms apart', () => {
    const gate = new Gate();
    gate.left({}, 0);
    gate.failed();
    expect(gate.delay(10, FAR)).toBe(240);
    expect(gate.delay(250, FAR)).toBe(0);
    const probe = {};
    gate.left(probe, 250);
    expect(gate.delay(5000, FAR)).toBe(Infinity);
    gate.done(probe);
    expect(gate.delay(300, FAR)).toBe(200);
    expect(gate.delay(1000, FAR)).toBe(0);
  });

  it.each([200, 404, 409, 422, 403])('opens with an answer of %i', (status) => {
    const gate = new Gate();
    gate.left({}, 0);
    gate.failed();
    gate.answered(status, null, () => 1);
    expect(gate.delay(1, FAR)).toBe(0);
  });

  it.each([429, 500, 502, 503, 504])('shuts with an answer of %i', (status) => {
    const gate = new Gate();
    gate.left({}, 0);
    gate.answered(status, null, () => 1);
    expect(gate.delay(1, FAR)).toBe(249);
  });

  it.each([429, 503])('stays shut for the pause that a %i asks for', (status) => {
    const gate = new Gate();
    gate.left({}, 0);
    gate.answered(status, 5000, () => 0);
    expect(gate.delay(100, FAR)).toBe(4900);
    expect(gate.delay(5000, FAR)).toBe(0);
  });

  it('does not pause past one second before the earliest deadline, and keeps its spacing there', () => {
    const gate = new Gate();
    gate.left({}, 0);
    gate.answered(429, 60_000, () => 0);
    expect(gate.delay(100, 3000)).toBe(1900);
    expect(gate.delay(100, 1200)).toBe(150);
    expect(gate.delay(260, 1200)).toBe(0);
  });

  it('ignores a pause in other answers, and forgets one when the server works', () => {
    const gate = new Gate();
    gate.answered(500, 60_000, () => 0);
    expect(gate.delay(300, FAR)).toBe(0);
    gate.answered(429, 60_000, () => 300);
    gate.answered(200, null, () => 301);
    gate.failed();
    expect(gate.delay(1000, FAR)).toBe(0);
  });
});
