import { setTimeout as sleep } from 'node:timers/promises';
import type { LeaseServer } from '../../src/testing/index.js';
import { must } from './raw.js';
import type { RawClient } from './raw.js';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** A user that may do nothing in the namespace of a cluster, until granted. */
export interface User {
  /** As it stands in refusals. */
  readonly name: string;
  readonly token: string;
  /** From when this resolves, the user may use exactly these verbs on Leases of the namespace. */
  readonly grant: (verbs: readonly Verb[]) => Promise<void>;
}

const ALL: readonly Verb[] = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
const RBAC = '/apis/rbac.authorization.k8s.io/v1/namespaces';
const GRANT_LIMIT_MS = 60_000;

/** On the embedded server, where every user may do what it is not forbidden. */
export function embeddedUser(server: LeaseServer, name: string): User {
  const token = `token-of-${name}`;
  server.kubeConfigYaml({ user: name, token });
  let current = server.faults.forbid({ user: name });
  return {
    name,
    token,
    grant: (verbs) => {
      const last = current;
      current = server.faults.forbid(({ user, verb }) => user === name && !verbs.includes(verb));
      last.remove();
      return Promise.resolve();
    },
  };
}

/** On a real API server: a service account of the namespace, with a role of its own. */
export async function realUser(
  admin: RawClient,
  clientWith: (token: string) => RawClient,
  namespace: string,
  account: string,
): Promise<User> {
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await must(admin, 'POST', accounts, { metadata: { name: account } });
  const { status } = await must(admin, 'POST', `${accounts}/${account}/token`, { spec: {} });
  const { token } = status as { token: string };
  const role = { metadata: { name: account }, rules: [] };
  await must(admin, 'POST', `${RBAC}/${namespace}/roles`, role);
  await must(admin, 'POST', `${RBAC}/${namespace}/rolebindings`, {
    metadata: { name: account },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: account },
  });
  const self = clientWith(token);
  return {
    name: `system:serviceaccount:${namespace}:${account}`,
    token,
    grant: async (verbs) => {
      const rule = { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs };
      // A rule without verbs is refused.
      const rules = verbs.length === 0 ? [] : [rule];
      await must(admin, 'PUT', `${RBAC}/${namespace}/roles/${account}`, { ...role, rules });
      await granted(self, namespace, verbs);
    },
  };
}

/** Authorization learns of a change by a watch of its own: ask it until it has. */
async function granted(self: RawClient, namespace: string, verbs: readonly Verb[]): Promise<void> {
  const deadline = performance.now() + GRANT_LIMIT_MS;
  for (const verb of ALL) {
    while ((await may(self, namespace, verb)) !== verbs.includes(verb)) {
      if (performance.now() > deadline) throw new Error(`the grant of ${verb} took too long`);
      await sleep(20);
    }
  }
}

async function may(self: RawClient, namespace: string, verb: Verb): Promise<boolean> {
  const attributes = { namespace, verb, group: 'coordination.k8s.io', resource: 'leases' };
  const review = { spec: { resourceAttributes: attributes } };
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const { status } = await must(self, 'POST', path, review);
  return (status as { allowed: boolean }).allowed;
}
