import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Paths of PEM files. */
export interface ClientCertificate {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Users without any right until a test grants them one. */
const RESTRICTED = ['restricted-1', 'restricted-2', 'restricted-3', 'restricted-4'] as const;

/** User name → bearer token. */
export type Tokens = Readonly<Record<(typeof RESTRICTED)[number], string>>;

/** Writes the file of `--token-auth-file`, which the API server reads once, at its start. */
export async function writeTokens(file: string): Promise<{ adminToken: string; tokens: Tokens }> {
  const adminToken = randomBytes(16).toString('hex');
  const entries = RESTRICTED.map((user) => [user, randomBytes(16).toString('hex')] as const);
  const lines = entries.map(([user, token]) => `${token},${user},${user}`);
  lines.unshift(`${adminToken},admin,admin,system:masters`);
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return { adminToken, tokens: Object.fromEntries(entries) as Tokens };
}

/** The key pair with which the API server signs tokens of service accounts. */
export async function writeServiceAccountKey(file: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await writeFile(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
}

/** Makes a client certificate of the user `cert-user` in the group `system:masters`. */
export async function writeClientCertificate(
  command: string,
  folder: string,
): Promise<ClientCertificate> {
  await mkdir(folder);
  await promisify(execFile)(command, ['-dir', folder]);
  const at = (name: string): string => join(folder, name);
  return { ca: at('ca.crt'), cert: at('client.crt'), key: at('client.key') };
}

/** Writes a kubeconfig with one context `test` (as JSON, which is YAML too). */
export async function writeKubeConfig(
  file: string,
  { server, caFile, token }: { server: string; caFile: string; token: string },
): Promise<void> {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    'current-context': 'test',
  };
  await writeFile(file, JSON.stringify(config, null, 2), { mode: 0o600 });
}
