/** From method and URL to what is asked. */
import type { Reply, Write } from './api.js';
import { isTrue } from './options.js';
import type { RequestInfo } from './requests.js';
import { parseSelection } from './selector.js';
import * as status from './status.js';
import { API_VERSION, isJsonObject } from './types.js';
import type { Verb } from './types.js';

/** A request for Leases. */
export interface LeasesRoute {
  readonly kind: 'leases';
  readonly verb: Verb;
  readonly namespace: string;
  readonly name?: string;
}

export type Route =
  | LeasesRoute
  | { readonly kind: 'version' }
  | { readonly kind: 'healthy' }
  | { readonly kind: 'method-not-allowed' }
  | { readonly kind: 'unknown' };

const healthPaths: readonly string[] = ['/readyz', '/livez', '/healthz'];
const leasesPath = new RegExp(
  `^/apis/${API_VERSION}(?:/namespaces/([^/]+))?/leases(?:/([^/]+))?/?$`,
);
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

/** The request as RBAC and the knobs see it. */
export function describe(
  route: LeasesRoute,
  write: Write,
  user: string,
  userAgent: string,
): RequestInfo {
  const { verb, namespace } = route;
  return { verb, namespace, name: route.name ?? impliedName(verb, write), user, userAgent };
}

function impliedName(verb: RequestInfo['verb'], write: Write): string | undefined {
  try {
    if (verb !== 'create') return parseSelection(write.query).name;
    const body: unknown = JSON.parse(write.body);
    const metadata = isJsonObject(body) ? body.metadata : undefined;
    const name = isJsonObject(metadata) ? metadata.name : undefined;
    return typeof name === 'string' ? name : undefined;
  } catch {
    // What is wrong with it is for the handler to say.
    return undefined;
  }
}

/** Whatever is not about Leases. */
export function answerOther(route: Route): Reply {
  switch (route.kind) {
    case 'version':
      return { code: 200, body: { major: '1', minor: '36', gitVersion: 'v1.36.0-testing' } };
    case 'healthy':
      return { code: 200, body: 'ok', contentType: 'text/plain; charset=utf-8' };
    case 'method-not-allowed':
      throw status.methodNotAllowed();
    default:
      throw status.pathNotFound();
  }
}
