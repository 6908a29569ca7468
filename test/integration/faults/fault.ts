import type { ControlPlane } from '../../../tools/harness/control-plane/index.js';
import type { AnotherServer } from '../../../tools/harness/control-plane/another.js';
import type { Pipe } from './pipe.js';
import type { NodeGroup } from './nodes.js';

/** Which terms a fault justifies to lose: those of some processes, of some leases, or all. */
export interface Justified {
  readonly nodes?: readonly string[];
  readonly leases?: readonly string[];
  readonly everything?: boolean;
  /** No process can take over while it lasts: such takeovers have no bound. */
  readonly hindersTakeover?: boolean;
  /** It is the API servers' own: they were silent for as long as was meant, and that is no excuse. */
  readonly isOutage?: boolean;
}

export interface Fault {
  readonly name: string;
  /** A choice of them is part of every test run. */
  readonly quick?: boolean;
  /** Injects the fault and ends it, also when it fails; resolves with what it justifies. */
  readonly inject: (group: NodeGroup) => Promise<Justified>;
}

/** Two API servers on one etcd, the second one behind a pipe that may lag. */
export interface Servers {
  readonly plane: ControlPlane;
  readonly second: AnotherServer;
  readonly pipe: Pipe;
}

/** Stops servers: nothing else may run on them. */
export interface ServerFault extends Omit<Fault, 'inject'> {
  /** Lasts longer than a lease, however long that is. */
  readonly isLong?: boolean;
  readonly inject: (group: NodeGroup, servers: Servers) => Promise<Justified>;
}
