import * as http from 'node:http';
import * as https from 'node:https';

/**
 * One request on a connection of its own, which keeps no process alive afterwards. Rejects without an answer within a
 * second.
 */
export async function ask(
  url: string,
  options: https.RequestOptions,
  body?: string,
): Promise<{ status: number; body: string }> {
  const { request } = url.startsWith('https:') ? https : http;
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { ...options, agent: false, timeout: 1000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
      response.once('error', reject);
    });
    outgoing.once('timeout', () => outgoing.destroy(new Error(`${url} did not answer in 1 s`)));
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}
