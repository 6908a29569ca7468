/** Pure: the rights that this package needs, as manifests. */
import { checkName, checkNamespace } from '../options.js';

/** For whom, and for what. */
export interface RoleArguments {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly roleName: string;
  /** Of locks and elections; all of the namespace without any. */
  readonly names?: readonly string[];
  /** For `deleteOnRelease`. */
  readonly delete?: true;
  /** For `metaparticle-sync status`. */
  readonly list?: true;
  /** For `recordEvents`. */
  readonly events?: true;
}

type Manifest = Readonly<Record<string, unknown>>;

/** @throws InvalidOptionError for what cannot be the name of a namespace or a Lease */
export function manifestsOf(options: RoleArguments): readonly Manifest[] {
  const { namespace, serviceAccount, roleName, names = [] } = options;
  checkNamespace(namespace);
  for (const name of [...names, serviceAccount, roleName]) checkName(name);
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1' };
  const metadata = { name: roleName, namespace };
  return [
    { ...rbac, kind: 'Role', metadata, rules: rulesOf(options) },
    {
      ...rbac,
      ...{ kind: 'RoleBinding', metadata },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: roleName },
      subjects: [{ kind: 'ServiceAccount', name: serviceAccount, namespace }],
    },
  ];
}

function rulesOf({ events, ...options }: RoleArguments): readonly Manifest[] {
  const leases = leaseRules(options);
  const recording = { apiGroups: [''], resources: ['events'], verbs: ['create'] };
  return events === true ? [...leases, recording] : leases;
}

function leaseRules({ names = [], delete: deletes, list }: RoleArguments): readonly Manifest[] {
  const leases = { apiGroups: ['coordination.k8s.io'], resources: ['leases'] };
  const verbs = ['get', 'update', 'patch', 'watch', ...(deletes === true ? ['delete'] : [])];
  // What is yet to be created has no name that could be compared, and lists of a namespace have none either.
  const unnamed = ['create', ...(list === true ? ['list'] : [])];
  if (names.length === 0) return [{ ...leases, verbs: [...verbs, ...unnamed] }];
  return [
    { ...leases, resourceNames: names, verbs },
    { ...leases, verbs: unnamed },
  ];
}
