/** Bodies in, replies out. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Reply } from './api.js';
import { StatusError } from './status.js';
import { isJsonObject } from './types.js';

const maxBodyBytes = 3 * 1024 * 1024;

/** Throws a 413 beyond the real server's limit. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxBodyBytes) chunks.push(chunk);
  }
  if (bytes <= maxBodyBytes) return Buffer.concat(chunks).toString('utf8');
  const message = `Request entity too large: limit is ${maxBodyBytes}`;
  throw new StatusError(413, 'RequestEntityTooLarge', message);
}

/** Runs a handler; a refusal is a reply too, a defect a 500. */
export function replyOf(handle: () => Reply): Reply {
  try {
    return handle();
  } catch (error) {
    if (error instanceof StatusError) return { code: error.code, body: error.status };
    const message = `Internal error occurred: ${String(error)}`;
    return { code: 500, body: new StatusError(500, 'InternalError', message).status };
  }
}

/** Sends the reply, unless the connection is gone. A string body is sent as it is. */
export function send(response: ServerResponse, reply: Reply, date: Date): boolean {
  if (response.destroyed || response.headersSent) return false;
  const text = typeof reply.body === 'string' ? reply.body : `${JSON.stringify(reply.body)}\n`;
  const retryAfter = reply.retryAfterSeconds ?? retryAfterOf(reply.body);
  response.writeHead(reply.code, {
    ...commonHeaders(date),
    ...(reply.contentType === undefined ? {} : { 'Content-Type': reply.contentType }),
    ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
    ...(reply.warnings === undefined || reply.warnings.length === 0
      ? {}
      : { Warning: reply.warnings.map((text) => `299 - ${JSON.stringify(text)}`) }),
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
  return true;
}

/** The head of a watch. */
export function sendHead(response: ServerResponse, date: Date): void {
  response.writeHead(200, commonHeaders(date));
  response.flushHeaders();
}

function commonHeaders(date: Date): Record<string, string> {
  return {
    'Cache-Control': 'no-cache, private',
    'Content-Type': 'application/json',
    Date: date.toUTCString(),
  };
}

function retryAfterOf(body: unknown): number | undefined {
  const details = isJsonObject(body) && body.kind === 'Status' ? body.details : undefined;
  const seconds = isJsonObject(details) ? details.retryAfterSeconds : undefined;
  return typeof seconds === 'number' ? seconds : undefined;
}
