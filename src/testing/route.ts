/** From method and URL to what is asked. */
import { API_VERSION } from './types.js';
import type { Verb } from './types.js';
import { isTrue } from './watch.js';

export type Route =
  | {
      readonly kind: 'leases';
      readonly verb: Verb;
      readonly namespace: string;
      readonly name?: string;
    }
  | { readonly kind: 'version' }
  | { readonly kind: 'healthy' }
  | { readonly kind: 'method-not-allowed' }
  | { readonly kind: 'unknown' };

const healthPaths: readonly string[] = ['/readyz', '/livez', '/healthz'];
const leasesPath = new RegExp(`^/apis/${API_VERSION}(?:/namespaces/([^/]+))?/leases(?:/([^/]+))?$`);
const verbOfMethod: Readonly<Record<string, Verb>> = {
  GET: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

export function parseRoute(method: string, url: URL): Route {
  const { pathname } = url;
  if (pathname === '/version') return { kind: 'version' };
  if (healthPaths.includes(pathname)) return { kind: 'healthy' };
  const match = leasesPath.exec(pathname);
  if (match === null) return { kind: 'unknown' };
  const namespace = decodeURIComponent(match[1] ?? '');
  const name = match[2] === undefined ? undefined : decodeURIComponent(match[2]);
  if (name !== undefined && namespace === '') return { kind: 'unknown' };
  const verb = name === undefined ? collectionVerb(method, url, namespace) : verbOfMethod[method];
  if (verb === undefined) return { kind: 'method-not-allowed' };
  return { kind: 'leases', verb, namespace, ...(name === undefined ? {} : { name }) };
}

function collectionVerb(method: string, url: URL, namespace: string): Verb | undefined {
  if (method === 'GET') return isTrue(url.searchParams.get('watch')) ? 'watch' : 'list';
  return method === 'POST' && namespace !== '' ? 'create' : undefined;
}
