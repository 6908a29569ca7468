/** The rules a Lease must satisfy to be stored; each one broken becomes a cause of one 422. */
import type { FieldError } from './status.js';
import type { LeaseMetadata, LeaseSpec } from './types.js';

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const qualifiedName = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const maxAnnotationBytes = 256 * 1024;

/** Empty when everything is in order. */
export function validateLease(
  metadata: Partial<LeaseMetadata>,
  spec: LeaseSpec,
): readonly FieldError[] {
  return [
    ...nameErrors(metadata.name ?? ''),
    ...labelErrors(metadata.labels ?? {}),
    ...annotationErrors(metadata.annotations ?? {}),
    ...ownerErrors(metadata),
    ...specErrors(spec),
  ];
}

function nameErrors(name: string): FieldError[] {
  if (name === '') return [required('metadata.name', 'name or generateName is required')];
  if (name.length > 253) {
    return [invalidValue('metadata.name', name, 'must be no more than 253 characters')];
  }
  if (subdomain.test(name)) return [];
  const rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
  return [invalidValue('metadata.name', name, rule)];
}

function labelErrors(labels: Readonly<Record<string, string>>): FieldError[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    const errors: FieldError[] = [];
    if (!isQualifiedName(key)) {
      errors.push(invalidValue('metadata.labels', key, 'name part must be a qualified name'));
    }
    if (!labelValue.test(value)) {
      const rule =
        value.length > 63
          ? 'must be no more than 63 bytes'
          : 'a valid label must be an empty string or consist of alphanumeric characters, "-", "_" or "."';
      errors.push(invalidValue('metadata.labels', value, rule));
    }
    return errors;
  });
}

function annotationErrors(annotations: Readonly<Record<string, string>>): FieldError[] {
  const entries = Object.entries(annotations);
  const errors = entries
    .filter(([key]) => !isQualifiedName(key.toLowerCase()))
    .map(([key]) =>
      invalidValue('metadata.annotations', key, 'name part must be a qualified name'),
    );
  const bytes = entries.reduce((sum, entry) => sum + Buffer.byteLength(entry.join('')), 0);
  if (bytes > maxAnnotationBytes) {
    const message = `Too long: may not be more than ${maxAnnotationBytes} bytes`;
    errors.push({ reason: 'FieldValueTooLong', message, field: 'metadata.annotations' });
  }
  return errors;
}

function ownerErrors(metadata: Partial<LeaseMetadata>): FieldError[] {
  const owners = metadata.ownerReferences ?? [];
  const field = 'metadata.ownerReferences';
  const errors = owners.flatMap((owner) =>
    (['apiVersion', 'kind', 'name', 'uid'] as const)
      .filter((part) => ((owner[part] as string | undefined) ?? '') === '')
      .map((part) => invalidValue(`${field}.${part}`, '', 'must not be empty')),
  );
  if (owners.filter(({ controller }) => controller === true).length > 1) {
    const rule = 'Only one reference can have Controller set to true';
    errors.push(invalidValue(field, owners, rule));
  }
  return errors;
}

function specErrors(spec: LeaseSpec): FieldError[] {
  const errors: FieldError[] = [];
  const { leaseDurationSeconds, leaseTransitions, strategy, preferredHolder } = spec;
  if (typeof leaseDurationSeconds === 'number' && leaseDurationSeconds <= 0) {
    const field = 'spec.leaseDurationSeconds';
    errors.push(invalidValue(field, leaseDurationSeconds, 'must be greater than 0'));
  }
  if (typeof leaseTransitions === 'number' && leaseTransitions < 0) {
    const field = 'spec.leaseTransitions';
    errors.push(invalidValue(field, leaseTransitions, 'must be greater than or equal to 0'));
  }
  if ((preferredHolder ?? '') !== '' && (strategy ?? '') === '') {
    const message = 'Forbidden: may only be specified if `strategy` is defined';
    errors.push({ reason: 'FieldValueForbidden', message, field: 'spec.preferredHolder' });
  }
  return errors;
}

/** `name` or `prefix/name`. */
function isQualifiedName(key: string): boolean {
  const parts = key.split('/');
  const name = parts.at(-1) ?? '';
  if (!qualifiedName.test(name) || parts.length > 2) return false;
  const prefix = parts.length === 2 ? (parts[0] ?? '') : undefined;
  return prefix === undefined || (prefix.length <= 253 && subdomain.test(prefix));
}

function invalidValue(field: string, value: unknown, rule: string): FieldError {
  const message = `Invalid value: ${JSON.stringify(value)}: ${rule}`;
  return { reason: 'FieldValueInvalid', message, field };
}

function required(field: string, rule: string): FieldError {
  return { reason: 'FieldValueRequired', message: `Required value: ${rule}`, field };
}
