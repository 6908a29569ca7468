// The Lease API as this package relies on it, in raw HTTP. The embedded server and a real API
// server are held to the same expectations; where they could differ, the real one is right.
import { describe } from '@jest/globals';
import { accessConformance } from './conformance/access.js';
import { editConformance } from './conformance/edit.js';
import { eventConformance } from './conformance/events.js';
import { metadataConformance } from './conformance/metadata.js';
import { namespaceConformance } from './conformance/namespace.js';
import { readConformance } from './conformance/read.js';
import { recordConformance } from './conformance/record.js';
import { watchConformance } from './conformance/watch.js';
import { writeConformance } from './conformance/write.js';
import type { GetCluster } from './conformance/lease.js';

/** Declares the suite. The cluster is asked for only while its tests run. */
export function leaseConformance(getCluster: GetCluster): void {
  describe('writes', () => writeConformance(getCluster));
  describe('content', () => recordConformance(getCluster));
  describe('metadata', () => metadataConformance(getCluster));
  describe('deletion and patches', () => editConformance(getCluster));
  describe('reads', () => readConformance(getCluster));
  describe('watches', () => watchConformance(getCluster));
  describe('events of watches', () => eventConformance(getCluster));
  describe('namespaces', () => namespaceConformance(getCluster));
  describe('access', () => accessConformance(getCluster));
}
