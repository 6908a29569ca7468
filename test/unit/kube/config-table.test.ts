// Kubeconfigs, good and bad, as we read them and as the installed client-node does: the same server and the same
// credentials, except where the table says why not.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadKubeConfig } from '../../../src/lease/kube/config.js';
import type { KubeConfigLike } from '../../../src/lease/kube/config.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'table-'));
});

afterAll(() => rm(folder, { recursive: true }));

/** What a request would be sent with. Absent fields are left out. */
type Reading = Readonly<Record<string, unknown>>;

/** `at once`: the configuration is refused; `when asked`: it gives no credentials. */
interface Refusal {
  readonly refused: 'at once' | 'when asked';
}

async function readingOf(load: () => Promise<KubeConfigLike>): Promise<Reading | Refusal> {
  let config: KubeConfigLike;
  let server: string | undefined;
  try {
    config = await load();
    server = config.getCurrentCluster()?.server;
  } catch {
    return { refused: 'at once' };
  }
  if (server === undefined) return { refused: 'at once' };
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch {
    return { refused: 'when asked' };
  }
  const { headers, auth, rejectUnauthorized, servername } = options as Reading & RequestOptions;
  const namespace = config.getContextObject(config.getCurrentContext())?.namespace;
  const all = { server, namespace, headers: { ...(headers as object) }, auth, servername };
  const tls = { rejectUnauthorized, ca: textOf(options.ca), cert: textOf(options.cert) };
  const reading = { ...all, ...tls, key: textOf(options.key) };
  return Object.fromEntries(Object.entries(reading).filter(([, value]) => value !== undefined));
}

function textOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (!Buffer.isBuffer(value)) throw new TypeError('a credential that is no Buffer');
  return value.toString();
}

async function both(text: string, files: Readonly<Record<string, string>> = {}) {
  const home = await mkdtemp(join(folder, 'home-'));
  const file = join(home, 'config');
  for (const [name, content] of Object.entries({ config: text, ...files })) {
    await mkdir(dirname(join(home, name)), { recursive: true });
    await writeFile(join(home, name), content);
  }
  const ours = await readingOf(() => loadKubeConfig({ file }));
  const theirs = await readingOf(() => {
    const config = new KubeConfig();
    config.loadFromFile(file);
    return Promise.resolve(config);
  });
  return { ours, theirs };
}

interface Parts {
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
  readonly rest?: object;
}

function config({ cluster = {}, user = {}, context = {}, rest = {} }: Parts): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: 'https://api.test:6443', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', ...context } }],
    'current-context': 'x',
    ...rest,
  });
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

const server = (url: string): string => config({ cluster: { server: url }, user: { token: 't' } });

const block = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${base64('the CA')}
    server: https://api.test:6443
  name: kind-kind
contexts:
- context:
    cluster: kind-kind
    namespace: team-a
    user: kind-kind
  name: kind-kind
current-context: kind-kind
kind: Config
preferences: {}
users:
- name: kind-kind
  user:
    client-certificate-data: ${base64('the certificate')}
    client-key-data: ${base64('the key')}
`;

const credential = JSON.stringify({
  apiVersion: 'client.authentication.k8s.io/v1',
  kind: 'ExecCredential',
  status: { token: 'of the plugin' },
});
const plugin = {
  command: process.execPath,
  args: ['-e', `console.log(${JSON.stringify(credential)})`],
};

type Case = readonly [title: string, text: string, files?: Readonly<Record<string, string>>];

const same: readonly Case[] = [
  ['a token', config({ user: { token: 't' } })],
  ['no credentials', config({})],
  ['a namespace', config({ context: { namespace: 'team-a' } })],
  ['an empty namespace', config({ context: { namespace: '' } })],
  ['CA data', config({ cluster: { 'certificate-authority-data': base64('CA') } })],
  ['a CA file', config({ cluster: { 'certificate-authority': 'ca.crt' } }), { 'ca.crt': 'CA' }],
  [
    'a CA file in another folder',
    config({ cluster: { 'certificate-authority': '../home-ca/ca.crt' } }),
    { '../home-ca/ca.crt': 'CA' },
  ],
  ['a server that is not verified', config({ cluster: { 'insecure-skip-tls-verify': true } })],
  ['a server that is verified', config({ cluster: { 'insecure-skip-tls-verify': false } })],
  [
    'verification that is turned off by a string',
    config({ cluster: { 'insecure-skip-tls-verify': 'true' } }),
  ],
  ['a TLS server name', config({ cluster: { 'tls-server-name': 'other.test' } })],
  [
    'a client certificate as data',
    config({ user: { 'client-certificate-data': base64('C'), 'client-key-data': base64('K') } }),
  ],
  [
    'a client certificate in files',
    config({ user: { 'client-certificate': 'tls/c.crt', 'client-key': 'tls/c.key' } }),
    { 'tls/c.crt': 'C', 'tls/c.key': 'K' },
  ],
  [
    'a certificate in a file and its key as data',
    config({ user: { 'client-certificate': 'c.crt', 'client-key-data': base64('K') } }),
    { 'c.crt': 'C' },
  ],
  ['a name and a password', config({ user: { username: 'admin', password: 'p:ä 1' } })],
  [
    'a token beside a name and a password',
    config({ user: { token: 't', username: 'a', password: 'p' } }),
  ],
  [
    'a token beside a client certificate',
    config({
      user: { token: 't', 'client-certificate-data': base64('C'), 'client-key-data': base64('K') },
    }),
  ],
  ['a user to impersonate', config({ user: { token: 't', as: 'system:admin' } })],
  [
    'fields that are null',
    config({ user: { token: 't', username: null, exec: null, 'client-key': null } }),
  ],
  ['fields that are empty', config({ user: { token: 't', username: '', 'client-key-data': '' } })],
  [
    'fields that are unknown',
    config({ user: { token: 't', color: 'red' }, rest: { preferences: { colors: true } } }),
  ],
  ['a server that ends in a slash', server('https://api.test/')],
  ['a server with a path', server('https://rancher.test/k8s/clusters/c-abc')],
  ['a server without a port', server('https://api.test')],
  ['a server at an IPv6 address', server('https://[fd00::1]:6443')],
  [
    'a server of http: that is not to be verified',
    config({ cluster: { server: 'http://127.0.0.1:8001', 'insecure-skip-tls-verify': true } }),
  ],
  ['YAML as kubectl and kind write it', block],
  ['YAML with Windows line ends', block.replaceAll('\n', '\r\n')],
  ['YAML with a byte order mark', `\uFEFF${block}`],
  [
    'YAML with comments and a document mark',
    `# mine\n---\n${block.replace('v1\n', 'v1 # always\n')}...\n`,
  ],
  [
    'YAML in flow style',
    `{clusters: [{name: c, cluster: {server: "https://api.test"}}], users: [{name: u, user: {token: t}}],
     contexts: [{name: x, context: {cluster: c, user: u}}], current-context: x}`,
  ],
  [
    'YAML with an anchor, an alias and a merge',
    `clusters: [{name: c, cluster: &c {server: "https://api.test"}},
                {name: d, cluster: {<<: *c, tls-server-name: d.test}}]
users: [{name: u, user: {token: &t secret}}]
contexts: [{name: x, context: {cluster: d, user: u, namespace: *t}}]
current-context: x`,
  ],
  [
    'YAML with quotes and escapes',
    `clusters: [{"name": 'c', cluster: {server: 'https://api.test'}}]
users: [{name: u, user: {token: "a\\x41\\u0042 # no comment", username: 'it''s', password: "1"}}]
contexts: [{name: "x", context: {cluster: 'c', user: u}}]
current-context: "x"`,
  ],
  [
    'YAML with data in a block',
    `clusters:
  - name: c
    cluster:
      server: >-
        https://api.test
      certificate-authority-data: |
        ${base64('the CA, which').slice(0, 8)}
        ${base64('the CA, which').slice(8)}
users: [{name: u, user: {token: plain text
     over two lines}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x`,
  ],
  [
    'a token that looks like a number',
    block.replace(/client-certificate-data.*\n.*/, 'token: 12345'),
  ],
  ['a password that looks like a boolean', config({ user: { username: 'a', password: true } })],
  [
    'two entries of a name in one file',
    config({
      rest: {
        users: [
          { name: 'u', user: { token: 'first' } },
          { name: 'u', user: { token: 'second' } },
        ],
      },
    }),
  ],
  [
    'another context that takes a program',
    config({
      user: { token: 't' },
      rest: {
        users: [
          { name: 'v', user: { exec: { command: 'aws' } } },
          { name: 'u', user: { token: 't' } },
        ],
      },
    }),
  ],
  [
    'a token file that is not there beside a token',
    config({ user: { tokenFile: 'token', token: 'old' } }),
  ],
  // What client-node is loaded for.
  ['an exec plugin', config({ user: { exec: plugin } })],
  [
    'an exec plugin beside a CA file',
    config({ user: { exec: plugin }, cluster: { 'certificate-authority': 'ca.crt' } }),
    { 'ca.crt': 'CA' },
  ],
  [
    'an auth provider',
    config({ user: { 'auth-provider': { name: 'azure', config: { 'access-token': 't' } } } }),
  ],
  [
    'a proxy',
    config({
      user: { token: 't' },
      cluster: { 'proxy-url': 'http://proxy.test:3128', 'tls-server-name': 'a' },
    }),
  ],
  [
    'a proxy, with a name and a password',
    config({
      user: { username: 'a', password: 'p' },
      cluster: { 'proxy-url': 'socks5://proxy.test' },
    }),
  ],
  // What cannot be used.
  ['an empty file', ''],
  ['a file that is no YAML', 'clusters: [}'],
  ['a file with tabs', 'clusters:\n\t- name: c\n'],
  ['a list', '- a\n- b\n'],
  ['a word', 'config\n'],
  ['two documents', `${block}---\n${block}`],
  ['a key that is there twice', `${block}kind: Config\n`],
  ['a tag that makes functions', `${block}x: !!js/function 'function () { return 1 }'\n`],
  ['no current context', config({ rest: { 'current-context': undefined } })],
  ['an empty current context', config({ rest: { 'current-context': '' } })],
  ['a current context that is not there', config({ rest: { 'current-context': 'y' } })],
  ['a context of a cluster that is not there', config({ context: { cluster: 'd' } })],
  ['a context without a cluster', config({ context: { cluster: undefined } })],
  ['a cluster without a server', config({ cluster: { server: undefined } })],
  ['a cluster with an empty server', config({ cluster: { server: '' } })],
  [
    'clusters that are no list',
    config({ rest: { clusters: { c: { server: 'https://api.test' } } } }),
  ],
  ['a context that is null', config({ rest: { contexts: [{ name: 'x', context: null }] } })],
  ['a server of http:', config({ cluster: { server: 'http://api.test' }, user: { token: 't' } })],
  ['a CA file that is not there', config({ cluster: { 'certificate-authority': 'ca.crt' } })],
  [
    'a client certificate that is not there',
    config({ user: { 'client-certificate': 'c.crt', 'client-key-data': base64('K') } }),
  ],
];

type Difference = readonly [
  title: string,
  why: string,
  text: string,
  differs: Reading | Refusal,
  files?: Readonly<Record<string, string>>,
];

const bearer = (token: string): Reading => ({ headers: { Authorization: `Bearer ${token}` } });

const different: readonly Difference[] = [
  [
    'a token file',
    'kubectl spells it tokenFile; client-node does not know it, and would go without a token',
    config({ user: { tokenFile: 'token' } }),
    bearer('from the file'),
    { token: 'from the file\n' },
  ],
  [
    'a token file beside a token',
    'in kubectl the file counts',
    config({ user: { tokenFile: 'token', token: 'old' } }),
    bearer('new'),
    { token: 'new' },
  ],
  [
    'a token file that is not there',
    'kubectl refuses it as well; client-node would go without a token',
    config({ user: { tokenFile: 'token' } }),
    { refused: 'when asked' },
  ],
  [
    'a token file that is empty',
    'kubectl refuses it as well; client-node would go without a token',
    config({ user: { tokenFile: 'token' } }),
    { refused: 'when asked' },
    { token: '\n' },
  ],
  [
    'a token file as client-node spells it',
    'it reads the file once, and from the folder that the process happens to be in',
    config({ user: { 'token-file': 'token' } }),
    { server: 'https://api.test:6443', ...bearer('from the file') },
    { token: 'from the file' },
  ],
  [
    'a token file, behind a proxy',
    'the spelling counts there as well',
    config({ user: { tokenFile: 'token' }, cluster: { 'proxy-url': 'http://proxy.test' } }),
    bearer('from the file\n'),
    { token: 'from the file\n' },
  ],
  [
    'CA data beside a CA file',
    'in kubectl the data counts',
    config({
      cluster: { 'certificate-authority-data': base64('data'), 'certificate-authority': 'ca.crt' },
    }),
    { ca: 'data' },
    { 'ca.crt': 'file' },
  ],
  [
    'a client certificate as data beside files',
    'in kubectl the data counts',
    config({
      user: {
        ...{ 'client-certificate-data': base64('C'), 'client-certificate': 'c.crt' },
        ...{ 'client-key-data': base64('K'), 'client-key': 'c.key' },
      },
    }),
    { cert: 'C', key: 'K' },
    { 'c.crt': 'other', 'c.key': 'other' },
  ],
  [
    'a name without a password',
    'client-node sends the word "undefined" as the password',
    config({ user: { username: 'admin' } }),
    { auth: 'admin:' },
  ],
  [
    'a context without a user',
    'client-node then drops the CA as well, and trusts no server of a cluster',
    config({
      cluster: { 'certificate-authority-data': base64('CA') },
      context: { user: undefined },
    }),
    { ca: 'CA' },
  ],
  [
    'a context of a user that is not there',
    'kubectl refuses it; client-node goes without credentials, which is answered with 401 or 403',
    config({ context: { user: 'v' } }),
    { refused: 'at once' },
  ],
  [
    'groups to impersonate',
    'client-node leaves them out, and impersonates the user without them',
    config({ user: { token: 't', as: 'jane', 'as-groups': ['viewers'] } }),
    { refused: 'at once' },
  ],
  [
    'a UID to impersonate beside an exec plugin',
    'client-node leaves it out, and impersonates another user',
    config({ user: { as: 'jane', 'as-uid': '42', exec: { command: 'true' } } }),
    { refused: 'at once' },
  ],
  [
    'a UID to impersonate',
    'kubectl sends it; client-node leaves it out, and impersonates another user',
    config({ user: { token: 't', as: 'jane', 'as-uid': '42' } }),
    {
      headers: {
        Authorization: 'Bearer t',
        'Impersonate-User': 'jane',
        'Impersonate-Uid': '42',
      },
    },
  ],
  [
    'a token of digits',
    'client-node makes a number of it: 0123 becomes 123, and a long one loses digits',
    block.replace(/client-certificate-data.*\n.*/, 'token: 0123'),
    bearer('0123'),
  ],
  [
    'a namespace of digits',
    'client-node makes a number of it, which is no namespace',
    block.replace('team-a', '1234'),
    { namespace: '1234' },
  ],
  [
    'another cluster that is incomplete',
    'it is of no use, and of no harm: kubectl reads the current context alone',
    config({
      rest: {
        clusters: [
          { name: 'd', cluster: {} },
          { name: 'c', cluster: { server: 'https://api.test:6443' } },
        ],
      },
    }),
    { server: 'https://api.test:6443', headers: {} },
  ],
];

const alike = same.map(([title, text, files = {}]) => ({ title, text, files }));
const apart = different.map(([title, why, text, differs, files = {}]) => ({
  ...{ title, why, text, differs, files },
}));

describe('a kubeconfig is read as client-node reads it', () => {
  it.each(alike)('$title', async ({ text, files }) => {
    const { ours, theirs } = await both(text, files);
    expect(ours).toEqual(theirs);
  });
});

describe('a kubeconfig is read differently on purpose', () => {
  it.each(apart)('$title: $why', async ({ text, files, differs }) => {
    const { ours, theirs } = await both(text, files);
    expect(ours).not.toEqual(theirs);
    if ('refused' in theirs || 'refused' in differs) expect(ours).toEqual(differs);
    else expect(ours).toEqual({ ...theirs, ...differs });
  });
});
