/** Replies, as they go over any wire. */
import type { Reply } from './api.js';
import type { Headers, Responder } from './responder.js';
import { StatusError } from './status.js';
import { isJsonObject } from './types.js';

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
export function send(responder: Responder, reply: Reply, date: Date): boolean {
  if (responder.isGone || responder.hasBegun) return false;
  const text = typeof reply.body === 'string' ? reply.body : `${JSON.stringify(reply.body)}\n`;
  const retryAfter = reply.retryAfterSeconds ?? retryAfterOf(reply.body);
  const headers = {
    ...commonHeaders(date),
    ...(reply.contentType === undefined ? {} : { 'Content-Type': reply.contentType }),
    ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
    ...(reply.warnings === undefined || reply.warnings.length === 0
      ? {}
      : { Warning: reply.warnings.map((text) => `299 - ${JSON.stringify(text)}`) }),
  };
  responder.answer(reply.code, headers, text);
  return true;
}

/** The head of a watch. */
export function sendHead(responder: Responder, date: Date): void {
  responder.begin(200, commonHeaders(date));
}

function commonHeaders(date: Date): Headers {
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
