import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, cacheFolder, requiredVersion } from './build.js';

/** Where a control plane's programs are. */
export interface Binaries {
  readonly source: 'KUBEBUILDER_ASSETS' | 'cache' | 'build';
  readonly apiserver: string;
  readonly etcd: string;
  /** Makes a client certificate. Undefined beside KUBEBUILDER_ASSETS where Go is missing. */
  readonly certificate: string | undefined;
}

const MODULE = dirname(fileURLToPath(import.meta.url));
const MODULE_FILES = ['go.mod', 'go.sum', 'certificate/main.go'];

/** The Kubernetes version that a build yields, as the API server reports it, e.g. `v1.36.3`. */
export function builtVersion(): string {
  return requiredVersion(MODULE, 'k8s.io/kubernetes');
}

/** Whether a Go compiler can be called, so that a control plane can be built. */
export function hasGo(): boolean {
  // The environment is named because Jest gives tests one of their own.
  return spawnSync('go', ['version'], { stdio: 'ignore', env: process.env }).status === 0;
}

/** Whether the programs are there without a build. */
export function areBinariesAtHand(): boolean {
  return assetsFolder() !== undefined || existsSync(folderOf(builtVersion()));
}

/**
 * The programs of a control plane: from KUBEBUILDER_ASSETS, else built earlier, else built now
 * (minutes on a cold machine; progress goes to standard error). Undefined where neither they nor
 * Go are there, and where they would have to be built but `mayBuild` is false. Throws when
 * KUBEBUILDER_ASSETS lacks a program, or when a build fails.
 */
export async function findBinaries(mayBuild = true): Promise<Binaries | undefined> {
  const assets = assetsFolder();
  if (assets !== undefined) return fromAssets(assets, mayBuild);
  const version = builtVersion();
  const folder = folderOf(version);
  if (existsSync(folder)) return inFolder(folder, 'cache');
  if (!mayBuild || !hasGo()) return undefined;
  await build({
    what: `kube-apiserver ${version} and etcd`,
    module: MODULE,
    packages: ['tool', './certificate'],
    linkerFlags: `-X k8s.io/component-base/version.gitVersion=${version}`,
    folder,
  });
  return inFolder(folder, 'build');
}

function assetsFolder(): string | undefined {
  const folder = process.env.KUBEBUILDER_ASSETS;
  return folder === '' ? undefined : folder;
}

async function fromAssets(folder: string, mayBuild: boolean): Promise<Binaries> {
  const apiserver = join(folder, 'kube-apiserver');
  const etcd = join(folder, 'etcd');
  for (const file of [apiserver, etcd]) {
    if (!existsSync(file)) throw new Error(`KUBEBUILDER_ASSETS is set, but ${file} is not there`);
  }
  const programs = { source: 'KUBEBUILDER_ASSETS', apiserver, etcd } as const;
  const own = folderOf('certificate');
  if (!existsSync(own)) {
    if (!mayBuild || !hasGo()) return { ...programs, certificate: undefined };
    const packages = ['./certificate'];
    const what = 'what makes a client certificate';
    await build({ what, module: MODULE, packages, linkerFlags: '', folder: own });
  }
  return { ...programs, certificate: join(own, 'certificate') };
}

function inFolder(folder: string, source: 'cache' | 'build'): Binaries {
  return {
    source,
    apiserver: join(folder, 'kube-apiserver'),
    etcd: join(folder, 'server'),
    certificate: join(folder, 'certificate'),
  };
}

function folderOf(what: string): string {
  return cacheFolder('control-plane', what, MODULE, MODULE_FILES);
}
