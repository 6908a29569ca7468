/** Kubernetes' MicroTime, as foreign electors write and read it. */
export function isoMicro(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`;
}

export function parseMicro(time: string): number {
  return Date.parse(time);
}
