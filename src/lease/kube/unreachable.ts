import { ApiUnreachableError, ClosedError, SyncError } from '../../errors.js';
import type { Refused, Unknown } from '../store.js';
import { wordsOf } from './words.js';

/** OpenSSL's verdicts on a chain, and Node's on a host name. */
const distrust =
  /^(CERT_|ERR_TLS_CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(CA|PURPOSE)$|PATH_LENGTH_|HOSTNAME_MISMATCH)/;

/** Certificates or keys that OpenSSL cannot use at all. */
const unusable = /^ERR_(OSSL_|TLS_|CRYPTO_)/;

/**
 * A connection that broke before an answer came.
 * @param mayHaveLeft whether the server may have got the request: what it did then is unknown
 */
export function brokenConnection(
  error: NodeJS.ErrnoException,
  mayHaveLeft: boolean,
  server: string,
): Refused | Unknown {
  const code = error.code ?? '';
  if (!mayHaveLeft && (distrust.test(code) || unusable.test(code))) {
    return { kind: 'refused', error: distrusted(error, server), transient: false };
  }
  const words = code === '' || error.message.includes(code) ? '' : ` (${code})`;
  const message = `the API server ${server} cannot be reached: ${error.message}${words}`;
  const unreachable = new ApiUnreachableError(message, server, { cause: error });
  return mayHaveLeft
    ? { kind: 'unknown', error: unreachable }
    : { kind: 'refused', error: unreachable, transient: true };
}

/** The request could not even be made: no credentials, an unusable certificate. Nothing left the house. */
export function unsendable(error: unknown, server: string): Refused {
  return { kind: 'refused', error: unsendableError(error, server), transient: false };
}

function unsendableError(error: unknown, server: string): SyncError {
  if (error instanceof SyncError) return error;
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (unusable.test(code ?? '')) return distrusted(error as NodeJS.ErrnoException, server);
  const message = `the API server ${server} cannot be asked: ${wordsOf(error)}`;
  return new ApiUnreachableError(message, server, { retryable: false, cause: error });
}

function distrusted(error: NodeJS.ErrnoException, server: string): ApiUnreachableError {
  const message =
    `the API server ${server} is not trusted: ${error.message} (${error.code ?? ''}); check ` +
    'certificate-authority-data (or certificate-authority), tls-server-name and the client certificate ' +
    'of the kubeconfig';
  return new ApiUnreachableError(message, server, { retryable: false, cause: error });
}

/** It never left, and may be tried again by itself. */
export function refused(error: SyncError): Refused {
  return { kind: 'refused', error, transient: true };
}

/** The client was closed before it could leave. */
export function closed(): Refused {
  return { kind: 'refused', error: new ClosedError(), transient: false };
}
