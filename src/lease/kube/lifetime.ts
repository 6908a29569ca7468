import { X509Certificate } from 'node:crypto';
import type { Authorized } from './authorized.js';
import { asArray, asObject, asString, isObject, parseJson } from './json.js';

/** How long credentials may be used. */
export interface Lifetime {
  /** By the wall clock, milliseconds since the epoch; `null` when nothing says so. */
  readonly endsAt: number | null;
  /** They need not be asked for again before each request. */
  readonly isReusable: boolean;
}

/**
 * What is known of the lifetime of an answer: the end that an exec plugin names, that of a token that is a JWT, that of
 * a client certificate; the earliest of them.
 * @param config the configuration that gave the answer
 */
export function lifetimeOf(config: unknown, { options }: Authorized): Lifetime {
  const plugin = pluginAnswer(config);
  const ends = [
    plugin?.endsAt ?? null,
    endOfToken(options.headers),
    endOfCertificate(options.cert),
  ];
  const known = ends.filter((end) => end !== null);
  return {
    endsAt: known.length === 0 ? null : Math.min(...known),
    // client-node keeps the answer of a plugin until its end. One without an end is good until it is refused.
    isReusable: plugin !== null && plugin.endsAt === null,
  };
}

/** What client-node keeps of an exec plugin's answer; `null` when there is no plugin, or it cannot be seen. */
function pluginAnswer(config: unknown): { readonly endsAt: number | null } | null {
  const user = asObject((config as { getCurrentUser?(): unknown }).getCurrentUser?.());
  const hasPlugin =
    isObject(user.exec) || isObject(asObject(asObject(user.authProvider).config).exec);
  if (!hasPlugin) return null;
  const answer = asArray(asObject(config).authenticators)
    .map((one) => asObject(asObject(one).tokenCache)[asString(user.name)])
    .find(isObject);
  if (answer === undefined) return null;
  return {
    endsAt: numberOrNull(Date.parse(asString(asObject(answer.status).expirationTimestamp))),
  };
}

function endOfToken(headers: unknown): number | null {
  const [, payload] =
    /^Bearer [^.]+\.([^.]+)\./.exec(asString(asObject(headers).Authorization)) ?? [];
  if (payload === undefined) return null;
  const { exp } = asObject(parseJson(Buffer.from(payload, 'base64url').toString('utf8')));
  return typeof exp === 'number' ? numberOrNull(exp * 1_000) : null;
}

function endOfCertificate(certificate: unknown): number | null {
  if (typeof certificate !== 'string' && !Buffer.isBuffer(certificate)) return null;
  try {
    return numberOrNull(Date.parse(new X509Certificate(certificate).validTo));
  } catch {
    return null;
  }
}

function numberOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
