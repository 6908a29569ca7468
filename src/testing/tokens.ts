/** Bearer tokens and whose they are. */
import { randomUUID } from 'node:crypto';

/** Who a request comes from when it brings no credentials; such a user may do nothing. */
export const ANONYMOUS = 'system:anonymous';

export class Tokens {
  readonly #users = new Map<string, string>();

  accept(token: string, user: string): void {
    this.#users.set(token, user);
  }

  revoke(token: string): void {
    this.#users.delete(token);
  }

  /** A token of this user; a new one if there is none. */
  of(user: string): string {
    for (const [token, owner] of this.#users) if (owner === user) return token;
    const token = `testing-${randomUUID()}`;
    this.accept(token, user);
    return token;
  }

  /** Null for credentials that are not accepted. */
  userOf(authorization: string | undefined): string | null {
    if (authorization === undefined) return ANONYMOUS;
    const [, token = ''] = /^Bearer +(.*)$/i.exec(authorization) ?? [];
    return this.#users.get(token) ?? null;
  }
}
