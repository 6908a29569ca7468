// What the demo can be told on its command line.
import { parseArgs } from 'node:util';

/** A mistake of whoever called: told in one line, without a stack. */
export class UsageError extends Error {}

export interface NamedCluster {
  readonly file: string;
  readonly context: string;
  /** Undefined: that of the context. */
  readonly namespace: string | undefined;
}

export interface DemoOptions {
  /** Null: the embedded server. Nothing is ever written to a cluster that was not named. */
  readonly cluster: NamedCluster | null;
  /** The store ignores fencing tokens, so that a late write gets through and the demo fails. */
  readonly isUnguarded: boolean;
}

export const HELP = `usage: npm start
       npm start -- --kubeconfig FILE --context NAME [--namespace NAME]

Shows locks and leader election at work, in about 20 seconds: three processes elect a leader, which
steps down, is killed, is paused; then five processes share a lock. Every figure is measured in this
run. Exits with 0 if all that was expected was measured, with 1 if not, with 2 for a wrong argument.

Without arguments it runs on an embedded Lease server in memory; no cluster is touched.

  --kubeconfig FILE   run on a cluster of this file; needs --context, and permission to get, list,
                      watch, create, update and delete Leases. Those of the demo have random names,
                      and are deleted in the end
  --context NAME      which context of the file: not guessed, since the demo writes to that cluster
  --namespace NAME    where the Leases live; by default the namespace of the context
  --unguarded         let the store ignore fencing tokens, to see what a late write does then: the
                      demo shows it and exits with 1
  --help              show this
`;

const KNOWN = {
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  namespace: { type: 'string' },
  unguarded: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** `null` when help was asked for. Throws a UsageError. */
export function parseOptions(args: readonly string[]): DemoOptions | null {
  const { kubeconfig, context, namespace, unguarded, help } = parse(args);
  if (help) return null;
  if (kubeconfig === undefined) {
    for (const [name, value] of Object.entries({ context, namespace })) {
      if (value !== undefined) throw new UsageError(`--${name} needs --kubeconfig FILE`);
    }
    return { cluster: null, isUnguarded: unguarded };
  }
  if (context === undefined) {
    throw new UsageError('--kubeconfig needs --context NAME: the demo writes to that cluster');
  }
  return { cluster: { file: kubeconfig, context, namespace }, isUnguarded: unguarded };
}

type Values = ReturnType<typeof parseArgs<{ options: typeof KNOWN }>>['values'];

function parse(args: readonly string[]): Values {
  try {
    const { values } = parseArgs({ args: [...args], options: KNOWN });
    for (const [name, value] of Object.entries(values)) {
      if (value === '') throw new UsageError(`--${name} needs a value`);
    }
    return values;
  } catch (error) {
    // Node goes on to explain a second matter in further sentences.
    throw new UsageError((error as Error).message.replace(/\. .*/s, ''));
  }
}
