/** An entry of `metadata.managedFields`. `time` has whole seconds, as the API server's has. */
export interface ManagedFieldsEntry {
  manager: string;
  operation: string;
  apiVersion: string;
  time?: string;
  fieldsType: string;
  fieldsV1: FieldsV1;
  subresource?: string;
}

/** The `FieldsV1` tree: keys such as `f:spec`, `k:{"uid":"…"}`, `v:"…"` and `.`. */
export interface FieldsV1 {
  [key: string]: FieldsV1;
}

/** An entry of `metadata.ownerReferences`. Stored and shown; nothing is collected here. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean | undefined;
  blockOwnerDeletion?: boolean | undefined;
}

/** `metadata` of a Lease as it goes over the wire. */
export interface LeaseMetadata {
  name: string;
  namespace: string;
  uid: string;
  /** A decimal integer as string; larger after every write of any Lease. */
  resourceVersion: string;
  /** Whole seconds, UTC. */
  creationTimestamp: string;
  labels?: Record<string, string> | undefined;
  annotations?: Record<string, string> | undefined;
  ownerReferences?: OwnerReference[] | undefined;
  finalizers?: string[] | undefined;
  managedFields?: ManagedFieldsEntry[] | undefined;
  [field: string]: unknown;
}

/** `spec` of a Lease as it goes over the wire. Times are MicroTime: RFC 3339, UTC, exactly six decimals. */
export interface LeaseSpec {
  holderIdentity?: string | null | undefined;
  leaseDurationSeconds?: number | null | undefined;
  acquireTime?: string | null | undefined;
  renewTime?: string | null | undefined;
  leaseTransitions?: number | null | undefined;
  strategy?: string | null | undefined;
  preferredHolder?: string | null | undefined;
  [field: string]: unknown;
}

/** A `coordination.k8s.io/v1` Lease in its JSON form. */
export interface LeaseObject {
  kind: 'Lease';
  apiVersion: 'coordination.k8s.io/v1';
  metadata: LeaseMetadata;
  spec: LeaseSpec;
}

/** The verbs of RBAC that this server knows, as `api.requests` counts them. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** Anything JSON can say, read-only. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** A JSON object whose fields have not been looked at. */
export type JsonObject = Record<string, unknown>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const GROUP = 'coordination.k8s.io';
export const API_VERSION = 'coordination.k8s.io/v1';
