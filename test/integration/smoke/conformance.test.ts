import { describeEachCluster } from '../../support/each-cluster.js';
import { leaseConformance } from '../conformance.js';

describeEachCluster('Lease API', leaseConformance);
