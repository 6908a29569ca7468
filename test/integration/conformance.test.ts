import { describeEachCluster } from './cluster.js';
import { leaseConformance } from './conformance.js';

describeEachCluster('Lease API', leaseConformance);
