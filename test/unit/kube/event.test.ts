import { describe, expect, it, jest } from '@jest/globals';
import { readEvent } from '../../../src/lease/kube/event.js';
import { Told } from '../../../src/lease/kube/told.js';

const metadata = { name: 'a', namespace: 'ns', uid: 'u', resourceVersion: '7' };
const lease = { kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', metadata, spec: {} };
const line = (type: string, object: unknown): string => JSON.stringify({ type, object });
const anybody = () => true;
const nobody = () => false;

describe('a line of a watch', () => {
  it.each(['ADDED', 'MODIFIED'])('%s: the lease is present', (type) =>
    expect(readEvent(line(type, lease), anybody)).toMatchObject({
      ...{ kind: 'lease', name: 'a', version: 7n, isChange: type === 'MODIFIED' },
      news: { kind: 'present', lease: { key: { namespace: 'ns', name: 'a' }, idleMs: null } },
    }),
  );

  it('DELETED: the lease is absent since the version of the event', () =>
    expect(readEvent(line('DELETED', lease), anybody)).toEqual({
      ...{ kind: 'lease', namespace: 'ns', name: 'a', version: 7n, isChange: true },
      news: { kind: 'absent', version: 7n },
    }));

  it('BOOKMARK: only a version', () => {
    const object = { kind: 'Lease', metadata: { resourceVersion: '9' } };
    expect(readEvent(line('BOOKMARK', object), nobody)).toEqual({ kind: 'bookmark', version: 9n });
  });

  it('ERROR: its code and words', () => {
    const object = { kind: 'Status', code: 410, message: 'too old' };
    expect(readEvent(line('ERROR', object), nobody)).toEqual({
      ...{ kind: 'error', status: 410, message: 'too old' },
    });
  });

  it.each([
    '',
    '{',
    'null',
    '7',
    '{"type":"ADDED"}',
    line('ADDED', { metadata }),
    line('X', lease),
  ])('that says nothing is unreadable or a lease, never thrown: %p', (text) =>
    expect(['unreadable', 'lease']).toContain(readEvent(text, anybody).kind),
  );

  it.each(['ADDED', 'MODIFIED', 'DELETED'])(
    'of a lease nobody wants is not parsed when it comes in the usual order: %s',
    (type) => {
      const parse = jest.spyOn(JSON, 'parse');
      const text = line(type, { ...lease, metadata: { ...metadata, labels: { name: 'b' } } });
      const event = readEvent(text, (name) => name === 'b');
      expect(parse).not.toHaveBeenCalled();
      parse.mockRestore();
      expect(event).toEqual({
        ...{ kind: 'other', name: 'a', version: 7n, isChange: type !== 'ADDED' },
      });
    },
  );

  it('of a lease nobody wants is found out in any other order, too', () => {
    const labels = { name: 'b', resourceVersion: '1' };
    const text = line('MODIFIED', { metadata: { labels, ...metadata }, kind: 'Lease' });
    expect(readEvent(text, (name) => name === 'b')).toMatchObject({
      ...{ kind: 'other', name: 'a', version: 7n },
    });
    const wanted = (name: string): boolean => name === 'a';
    expect(readEvent(text, wanted)).toMatchObject({ kind: 'lease', name: 'a', version: 7n });
  });
});

describe('what was told', () => {
  it('covers who knows the last version told, not who knows an older one', () => {
    const told = new Told();
    told.restart(5n);
    told.note('a', 8n, 8n);
    expect(told.covers('a', 8n, 9n)).toBe(true);
    expect(told.covers('a', 7n, 9n)).toBe(false);
    expect(told.covers('a', null, 9n)).toBe(false);
  });

  it('covers names never told of from its beginning on', () => {
    const told = new Told();
    told.restart(5n);
    expect(told.covers('b', 5n, 9n)).toBe(true);
    expect(told.covers('b', 4n, 9n)).toBe(false);
  });

  it('begins at the first known position when it began with a state', () => {
    const told = new Told();
    expect(told.covers('b', 5n, null)).toBe(false);
    expect(told.covers('b', 5n, 6n)).toBe(false);
    expect(told.covers('b', 6n, 9n)).toBe(true);
  });

  it('forgets all names when they are too many, and begins again from there', () => {
    const told = new Told();
    told.restart(1n);
    for (let index = 0; index <= 10_000; index++) told.note(`n${index}`, 2n, 2n);
    expect(told.covers('n3', 1n, 3n)).toBe(false);
    expect(told.covers('n3', 2n, 3n)).toBe(true);
  });
});
