import { describe, expect, it } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lifetimeOf } from '../../../src/lease/kube/lifetime.js';
import { selfSigned } from '../../support/certificate.js';

const of = (options: RequestOptions, config: object = {}) =>
  lifetimeOf(config, { options, proxyAgent: null });
const bearer = (token: string): RequestOptions => ({
  headers: { Authorization: `Bearer ${token}` },
});
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const jwt = (claims: object): string => `${part({ alg: 'RS256' })}.${part(claims)}.c2ln`;

describe('the end of credentials', () => {
  it('is that of a token that is a JWT', () => {
    expect(of(bearer(jwt({ exp: 1_900_000_000 })))).toEqual({
      ...{ endsAt: 1_900_000_000_000, isReusable: false },
    });
  });

  it.each([
    ['no token', {}],
    ['an opaque token', bearer('k8s-aws-v1.aHR0cHM6Ly9zdHM')],
    ['a token of three parts that is no JWT', bearer('a.b.c')],
    ['a JWT without an end', bearer(jwt({ sub: 'me' }))],
    ['a JWT whose end is no number', bearer(jwt({ exp: 'soon' }))],
    ['a certificate that is none', { cert: 'none' }],
  ])('is not known of %s', (_, options) => {
    expect(of(options)).toEqual({ endsAt: null, isReusable: false });
  });

  it('is that of a client certificate, or of the token, whichever is earlier', () => {
    const { cert } = selfSigned();
    const endsAt = Date.parse(new X509Certificate(cert).validTo);
    expect(of({ cert }).endsAt).toBe(endsAt);
    const exp = Math.floor(endsAt / 1_000) - 60;
    expect(of({ cert, ...bearer(jwt({ exp })) }).endsAt).toBe(exp * 1_000);
  });
});

describe('an exec plugin', () => {
  /** Of a kubeconfig of client-node, after the plugin was asked once. */
  async function asked(status: object): Promise<ReturnType<typeof of>> {
    const folder = mkdtempSync(join(tmpdir(), 'sync-plugin-'));
    try {
      const command = join(folder, 'plugin');
      const answer = {
        apiVersion: 'client.authentication.k8s.io/v1',
        kind: 'ExecCredential',
        status,
      };
      writeFileSync(command, `#!/bin/sh\ncat <<'END'\n${JSON.stringify(answer)}\nEND\n`);
      chmodSync(command, 0o700);
      const config = new KubeConfig();
      config.loadFromOptions({
        clusters: [{ name: 'c', server: 'https://10.0.0.1' }],
        users: [{ name: 'plugin', exec: { apiVersion: answer.apiVersion, command } }],
        contexts: [{ name: 'x', cluster: 'c', user: 'plugin' }],
        currentContext: 'x',
      });
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      expect(options.headers).toEqual({ Authorization: 'Bearer of-plugin' });
      return of(options, config);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  it('that names no end need not be asked again', async () => {
    expect(await asked({ token: 'of-plugin' })).toEqual({ endsAt: null, isReusable: true });
  });

  it('that names an end is kept by client-node until then', async () => {
    const expirationTimestamp = '2040-01-01T00:00:00Z';
    expect(await asked({ token: 'of-plugin', expirationTimestamp })).toEqual({
      ...{ endsAt: Date.parse(expirationTimestamp), isReusable: false },
    });
  });

  it('whose answer cannot be seen is asked each time', () => {
    const config = { getCurrentUser: () => ({ name: 'me', exec: { command: 'x' } }) };
    expect(of({}, config)).toEqual({ endsAt: null, isReusable: false });
  });
});
