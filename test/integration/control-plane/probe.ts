import { request } from 'node:https';
import type { RequestOptions } from 'node:https';

/** One GET on a connection of its own; rejects when nobody answers within a second. */
export async function get(
  url: string,
  options: RequestOptions,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { ...options, agent: false, timeout: 1000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.once('error', reject);
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`${url} did not answer in 1 s`)));
    outgoing.once('error', reject);
    outgoing.end();
  });
}
