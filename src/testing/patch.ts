/** JSON Merge Patch (RFC 7386), the kind of patch that kubectl sends for labels and annotations. */
import { parseJson } from './decode.js';
import { badRequest, unsupportedMediaType } from './status.js';
import { isJsonObject } from './types.js';
import type { JsonObject } from './types.js';

const mediaType = 'application/merge-patch+json';

/** The object after the patch; throws a 415 for other kinds of patch. */
export function applyPatch(target: JsonObject, contentType: string, body: string): unknown {
  if (contentType !== mediaType) throw unsupportedMediaType(mediaType);
  let patch: unknown;
  try {
    patch = parseJson(body);
  } catch (error) {
    throw badRequest(`error decoding patch: ${String(error)}`);
  }
  if (!isJsonObject(patch)) throw badRequest('error decoding patch: not an object');
  return mergePatch(target, patch);
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const merged: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(merged, key);
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}
