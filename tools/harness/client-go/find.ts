// client-go’s elector as a program, for tests and measurements beside this package.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasGo } from '../control-plane/binaries.js';
import { build, cacheFolder, requiredVersion } from '../control-plane/build.js';

const MODULE = dirname(fileURLToPath(import.meta.url));
const MODULE_FILES = ['go.mod', 'go.sum', 'main.go', 'telling.go'];
const PROGRAM = 'client-go-rival';

/** It can be started. */
export interface BuiltClientGo {
  readonly kind: 'built';
  /** Of client-go, e.g. `v0.36.3`. */
  readonly version: string;
  readonly file: string;
}

/** It cannot be had on this machine. */
export interface NoClientGo {
  readonly kind: 'none';
  /** One line: what is skipped, and how to have it. */
  readonly reason: string;
}

export type FoundClientGo = BuiltClientGo | NoClientGo;

/** Built earlier, else built now; on a machine that built the control plane, that is a matter of seconds. */
export async function findClientGo(): Promise<FoundClientGo> {
  const version = requiredVersion(MODULE, 'k8s.io/client-go');
  const folder = cacheFolder('client-go', version, MODULE, MODULE_FILES);
  const found = { kind: 'built', version, file: join(folder, PROGRAM) } as const;
  if (existsSync(folder)) return found;
  if (!hasGo()) {
    return { kind: 'none', reason: 'client-go: skipped, there is no Go here to build it' };
  }
  const what = `client-go ${version}`;
  await build({ what, module: MODULE, packages: ['.'], linkerFlags: '', folder });
  return found;
}

/** The environment variable with the `FoundClientGo` of a test run, as JSON. */
export const SHARED_CLIENT_GO = 'SYNC_TEST_CLIENT_GO';

/** What the global set-up of this Jest run found; undefined where no real API server takes part. */
export function sharedClientGo(): FoundClientGo | undefined {
  const text = process.env[SHARED_CLIENT_GO];
  return text === undefined ? undefined : (JSON.parse(text) as FoundClientGo);
}
