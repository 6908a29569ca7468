import type { WatchNews } from '../store.js';
import { asObject, asString, isObject, parseJson } from './json.js';
import type { JsonObject } from './json.js';
import { decodeLease, decodeVersion } from './wire.js';

/** One line of a watch. */
export type WatchEvent =
  | {
      readonly kind: 'lease';
      readonly namespace: string;
      readonly name: string;
      readonly version: bigint | null;
      readonly news: WatchNews;
      /** Whether it tells of a change; an `ADDED` may just be the state at the start. */
      readonly isChange: boolean;
    }
  /** A lease that nobody asked for: only where the stream stands matters. */
  | {
      readonly kind: 'other';
      readonly name: string;
      readonly version: bigint | null;
      readonly isChange: boolean;
    }
  | { readonly kind: 'bookmark'; readonly version: bigint | null }
  | { readonly kind: 'error'; readonly status: number; readonly message: string }
  | { readonly kind: 'unreadable' };

/** How every API server begins a line. What does not begin so is parsed in full. */
const head =
  /^\{"type":"(ADDED|MODIFIED|DELETED)","object":\{(?:"(?:kind|apiVersion)":"[^"\\]*",)*"metadata":\{"name":"([^"\\]*)"/;
const resourceVersion = /"resourceVersion":"(\d+)"/;

/** @param wanted tells of which leases the content is of interest; others are not even parsed */
export function readEvent(line: string, wanted: (name: string) => boolean): WatchEvent {
  const [, type = '', name = ''] = head.exec(line) ?? [];
  if (name !== '' && !wanted(name)) {
    const version = decodeVersion(resourceVersion.exec(line)?.[1]);
    return { kind: 'other', name, version, isChange: type !== 'ADDED' };
  }
  const event = parseJson(line);
  return isObject(event) ? classify(event, wanted) : { kind: 'unreadable' };
}

function classify(event: JsonObject, wanted: (name: string) => boolean): WatchEvent {
  const object = asObject(event.object);
  const metadata = asObject(object.metadata);
  const version = decodeVersion(metadata.resourceVersion);
  const isChange = event.type !== 'ADDED';
  switch (event.type) {
    case 'BOOKMARK':
      return { kind: 'bookmark', version };
    case 'ERROR':
      return { kind: 'error', status: Number(object.code), message: asString(object.message) };
    case 'DELETED': {
      const [namespace, name] = [asString(metadata.namespace), asString(metadata.name)];
      if (!wanted(name)) return { kind: 'other', name, version, isChange };
      const news = { kind: 'absent', version } as const;
      return { kind: 'lease', namespace, name, version, news, isChange };
    }
    case 'ADDED':
    case 'MODIFIED': {
      const lease = decodeLease(object);
      if (lease === null) return { kind: 'unreadable' };
      const { namespace, name } = lease.key;
      if (!wanted(name)) return { kind: 'other', name, version, isChange };
      const news = { kind: 'present', lease } as const;
      return { kind: 'lease', namespace, name, version, news, isChange };
    }
    default:
      return { kind: 'unreadable' };
  }
}
