// The manifests of examples/deploy: that a real API server takes them as they are, and that the rights
// they grant are those that are needed.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { KubeConfig, loadAllYaml } from '@kubernetes/client-node';
import { Election, ForbiddenError, LeaseClient, Lock } from '@metaparticle/sync';
import type { SyncWarning } from '@metaparticle/sync';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.js';
import { rejection } from '../../support/promises.js';
import { root } from '../../../tools/docs/source.js';
import { clusters } from '../../../tools/harness/cluster.js';
import type { Cluster } from '../../../tools/harness/cluster.js';
import { must } from '../../../tools/harness/raw.js';
import type { ApiObject, Json, RawClient, RawResponse } from '../../../tools/harness/raw.js';

interface Manifest extends Json {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface Container extends Json {
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value?: string }[];
}

interface PodSpec extends Json {
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly [Container];
}

const folder = join(root, 'examples/deploy');
const clusterFolder = join(folder, 'api-priority');
const manifests = [folder, clusterFolder].flatMap(manifestsIn);

function filesIn(place: string): string[] {
  const files = readdirSync(place).filter((name) => name.endsWith('.yaml'));
  return files.filter((name) => name !== 'kustomization.yaml');
}

function manifestsIn(place: string): Manifest[] {
  const texts = filesIn(place).map((name) => readFileSync(join(place, name), 'utf8'));
  return texts.flatMap((text) => loadAllYaml(text) as Manifest[]);
}

function find(kind: string): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind);
  if (found === undefined) throw new Error(`there is no ${kind}`);
  return found;
}

const role = find('Role') as Manifest & { readonly rules: readonly Rule[] };
const template = (find('Deployment')['spec'] as { template: { spec: PodSpec } & Json }).template;
const job = find('CronJob')['spec'] as { jobTemplate: { spec: { template: { spec: PodSpec } } } };
const pods = [template.spec, job.jobTemplate.spec.template.spec];
const CLUSTER_WIDE = ['FlowSchema', 'PriorityLevelConfiguration'];

function pathOf({ apiVersion, kind }: Manifest, namespace: string): string {
  const base = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const kinds = `${kind.toLowerCase()}s`;
  return CLUSTER_WIDE.includes(kind)
    ? `${base}/${kinds}`
    : `${base}/namespaces/${namespace}/${kinds}`;
}

/** Server-side apply, strict: a field that is misspelt or given twice is an error. */
function apply(cluster: Cluster, manifest: Manifest, query = ''): Promise<RawResponse> {
  const path = `${pathOf(manifest, cluster.namespace)}/${manifest.metadata.name}`;
  const all = `${path}?fieldManager=deploy-test&fieldValidation=Strict${query}`;
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  return cluster.request('PATCH', all, manifest, headers);
}

it.each([folder, clusterFolder])(
  'the manifests of %s are listed for kustomize, one and all',
  (place) => {
    const [list] = loadAllYaml(readFileSync(join(place, 'kustomization.yaml'), 'utf8')) as Json[];
    expect([...(list?.['resources'] as string[])].sort()).toEqual(filesIn(place).sort());
    if (place !== folder) return;
    const [image] = list?.['images'] as { name: string; newTag: string }[];
    const images = pods.flatMap(({ containers }) => containers.map((one) => one.image));
    expect(new Set(images)).toEqual(new Set([`${image?.name ?? ''}:${image?.newTag ?? ''}`]));
  },
);

it('a pod has more time to end than its drain, the release and its own grace take', () => {
  const { terminationGracePeriodSeconds, containers } = template.spec;
  const valueOf = (name: string): number =>
    Number(containers[0].env.find((entry) => entry.name === name)?.value);
  const needed = valueOf('DRAIN_MS') + 5_000 + valueOf('GRACE_MS');
  expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThan(needed);
});

for (const { title, open } of clusters().filter(({ real }) => real)) {
  describe(`manifests, ${title}`, () => {
    let cluster: Cluster;

    beforeAll(async () => {
      cluster = await open();
      const restricted = { enforce: 'restricted', warn: 'restricted' };
      const labels = Object.fromEntries(
        Object.entries(restricted).map(([mode, level]) => [
          `pod-security.kubernetes.io/${mode}`,
          level,
        ]),
      );
      const path = `/api/v1/namespaces/${cluster.namespace}`;
      const headers = { 'content-type': 'application/merge-patch+json' };
      await cluster.request('PATCH', path, { metadata: { labels } }, headers);
    });

    afterAll(() => cluster.close());

    it.each(manifests.map((manifest) => [manifest.kind, manifest] as const))(
      '%s is taken as it is, without a warning',
      async (_kind, manifest) => {
        const { status, body, headers } = await apply(cluster, manifest, '&dryRun=All');
        expect([status, body.message, headers.warning]).toEqual([201, undefined, undefined]);
        expect(body).toMatchObject(manifest);
        const path = `${pathOf(manifest, cluster.namespace)}/${manifest.metadata.name}`;
        expect((await cluster.request('GET', path)).status).toBe(404);
      },
    );

    it('a misspelt field is found out in that way', async () => {
      const wrong = { ...role, rules: [{ ...role.rules[0], verb: ['get'] }] };
      const { status, body } = await apply(cluster, wrong, '&dryRun=All');
      expect([status >= 400, body.message]).toEqual([true, expect.stringContaining('verb')]);
    });

    it('its pods are let into a namespace that is restricted, and others are not', async () => {
      expect((await apply(cluster, find('ServiceAccount'))).status).toBe(201);
      const create = (spec: Json): Promise<RawResponse> => {
        const pod = { metadata: { name: 'p' }, spec };
        const path = `/api/v1/namespaces/${cluster.namespace}/pods?dryRun=All`;
        return cluster.request('POST', path, pod);
      };
      for (const spec of pods) {
        const { status, body } = await create(spec);
        expect([status, body.message]).toEqual([201, undefined]);
      }
      const { securityContext: _, ...careless } = template.spec;
      expect(await create(careless)).toMatchObject({ status: 403 });
    });
  });

  describe(`a share of the API server, ${title}`, () => {
    let cluster: Cluster;
    beforeAll(async () => {
      cluster = await open();
    });
    afterAll(async () => {
      for (const kind of cluster.controlPlane === undefined ? [] : CLUSTER_WIDE) {
        const manifest = find(kind);
        await cluster.request('DELETE', `${pathOf(manifest, '')}/${manifest.metadata.name}`);
      }
      await cluster.close();
    });

    it('is given to the requests of locks, and to nothing else', async () => {
      // What is cluster-wide is written to a control plane of our own alone; elsewhere the dry run has to do.
      if (cluster.controlPlane === undefined) return;
      const { namespace } = cluster;
      expect((await apply(cluster, find('ServiceAccount'))).status).toBe(201);
      const here = JSON.stringify(CLUSTER_WIDE.map(find)).replaceAll(
        '"namespace":"payments"',
        `"namespace":"${namespace}"`,
      );
      const text = here.replaceAll('"namespaces":["payments"]', `"namespaces":["${namespace}"]`);
      const [schema] = await Promise.all(
        (JSON.parse(text) as Manifest[]).map((one) => apply(cluster, one)),
      );
      const account = `${pathOf(find('ServiceAccount'), namespace)}/payments/token`;
      const { body } = await cluster.request('POST', account, { spec: {} });
      const self = cluster.clientWith((body['status'] as { token: string }).token);
      const schemaOf = async (path: string): Promise<unknown> =>
        (await self.request('GET', path)).headers['x-kubernetes-pf-flowschema-uid'];
      const { uid } = schema?.body.metadata ?? {};
      const end = performance.now() + 50_000;
      while ((await schemaOf(`${cluster.leases}/payments`)) !== uid) {
        if (performance.now() > end) throw new Error('the FlowSchema does not take them');
        await sleep(50);
      }
      expect(uid).toEqual(expect.stringMatching(/^[-0-9a-f]{36}$/));
      expect(await schemaOf(cluster.leases)).not.toBe(uid);
      expect(await schemaOf(`/api/v1/namespaces/${namespace}/pods/x`)).not.toBe(uid);
    });
  });

  describe(`rights of the service account, ${title}`, () => {
    let cluster: Cluster;
    let self: RawClient;
    let token: string;
    let warnings: SyncWarning[];
    const clients: LeaseClient[] = [];

    beforeAll(async () => {
      cluster = await open();
      for (const kind of ['ServiceAccount', 'Role', 'RoleBinding']) {
        expect((await apply(cluster, find(kind))).status).toBe(201);
      }
      const account = `${pathOf(find('ServiceAccount'), cluster.namespace)}/payments/token`;
      const { body } = await cluster.request('POST', account, { spec: {} });
      ({ token } = body['status'] as { token: string });
      self = cluster.clientWith(token);
    });

    beforeEach(() => {
      warnings = [];
    });

    afterEach(async () => {
      await Promise.all(clients.splice(0).map((client) => client.close()));
      await cluster.request('DELETE', `${cluster.leases}/payments`);
    });

    afterAll(() => cluster.close());

    /** A pod: it has nothing but the token of the service account. */
    function pod(identity: string): LeaseClient {
      const current = cluster.kubeConfig.getCurrentCluster();
      if (current === null) throw new Error('no current cluster');
      const kubeConfig = new KubeConfig();
      kubeConfig.loadFromClusterAndUser(current, { name: 'payments', token });
      const onWarning = (warning: SyncWarning): void => void warnings.push(warning);
      const { namespace } = cluster;
      const client = new LeaseClient({ kubeConfig, namespace, identity, onWarning });
      clients.push(client);
      return client;
    }

    async function may(verb: string, name: string): Promise<boolean> {
      const { namespace } = cluster;
      const lease = { group: 'coordination.k8s.io', resource: 'leases' };
      const spec = { resourceAttributes: { namespace, verb, name, ...lease } };
      const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
      const { status } = await must(self, 'POST', path, { spec });
      return (status as { allowed: boolean }).allowed;
    }

    /** Takes the Role without these verbs into force, and waits until it is. */
    async function grantWithout(...missing: readonly string[]): Promise<void> {
      const rules = role.rules.map((rule) => ({
        ...rule,
        verbs: rule.verbs.filter((verb) => !missing.includes(verb)),
      }));
      const kept = rules.filter(({ verbs }) => verbs.length > 0);
      const path = `${pathOf(role, cluster.namespace)}/${role.metadata.name}`;
      await cluster.request('PUT', path, { ...role, rules: kept });
      const end = performance.now() + 50_000;
      for (const verb of role.rules.flatMap(({ verbs }) => verbs)) {
        while ((await may(verb, 'payments')) === missing.includes(verb)) {
          if (performance.now() > end) throw new Error(`the change of ${verb} took too long`);
          await sleep(20);
        }
      }
    }

    /** Two pods take the lock one after the other, the second by waiting for the first. */
    async function handOver(): Promise<void> {
      const first = await new Lock('payments', { client: pod('a') }).acquire();
      const next = new Lock('payments', { client: pod('b') }).acquire({ timeoutMs: 50_000 });
      await sleep(200);
      await first.release();
      const second = await next;
      expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
      await second.release();
    }

    it('suffice for locks and elections, with watches', async () => {
      await grantWithout();
      await handOver();
      const stop = new AbortController();
      const { signal } = stop;
      const seen: (string | null)[] = [];
      const election = new Election('payments', {
        client: pod('c'),
        onStartedLeading: () => until('the observer', () => seen.includes('c')),
      });
      const running = election.run({ signal });
      const observer = new Election('payments', {
        client: pod('d'),
        onStartedLeading: () => undefined,
      });
      for await (const leader of observer.observe({ signal })) {
        seen.push(leader?.identity ?? null);
        if (leader?.identity === 'c') break;
      }
      stop.abort();
      await running;
      expect(warnings).toEqual([]);
    });

    it('are the ones of the Role and no others', async () => {
      await grantWithout();
      const { namespace } = cluster;
      const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
      const { status } = await must(self, 'POST', path, { spec: { namespace } });
      const { resourceRules } = status as { resourceRules: Rule[] };
      // Every user may ask who it is and what it may do.
      const everybodys = ['authorization.k8s.io', 'authentication.k8s.io'];
      const own = resourceRules.filter(
        ({ apiGroups }) => !apiGroups.some((group) => everybodys.includes(group)),
      );
      expect(own).toHaveLength(role.rules.length);
      expect(own).toEqual(expect.arrayContaining([...role.rules]));
      for (const verb of ['list', 'delete']) expect(await may(verb, 'payments')).toBe(false);
      for (const verb of ['get', 'update', 'patch', 'watch'])
        expect(await may(verb, 'other')).toBe(false);
    });

    it.each(['get', 'update', 'create'])(
      'without %s nothing works, and it is said',
      async (verb) => {
        await grantWithout(verb);
        const error = await rejection(new Lock('payments', { client: pod('a') }).acquire());
        expect(error).toBeInstanceOf(ForbiddenError);
        expect(error).toMatchObject({ verb, namespace: cluster.namespace });
      },
    );

    it('without create a Lease that is there is enough', async () => {
      await grantWithout('create');
      const lease = { metadata: { name: 'payments' }, spec: { holderIdentity: '' } };
      const created: ApiObject = (await cluster.request('POST', cluster.leases, lease)).body;
      expect(created.metadata.name).toBe('payments');
      await handOver();
      expect(warnings).toEqual([]);
    });

    it('without watch all works by polling, with a warning', async () => {
      await grantWithout('watch');
      await handOver();
      const codes = warnings.map(({ code }) => code);
      expect(codes).toEqual(expect.arrayContaining(['WATCH_FORBIDDEN']));
    });
  });
}
