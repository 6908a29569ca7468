import { describeEachCluster } from '../../tools/harness/cluster.js';
import { leaseConformance } from './conformance.js';

describeEachCluster('Lease API', leaseConformance);
