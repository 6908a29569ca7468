// What a person at the terminal reads while a command waits: it says so after five seconds, so each test takes longer.
import { expect, it } from '@jest/globals';
import { startLeaseServer } from '@metaparticle/sync/testing';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cli } from '../command-line.js';

it('a lock that another process holds is waited for by name, and said once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cli-waiting-'));
  const file = join(folder, 'kubeconfig');
  const api = await startLeaseServer();
  try {
    writeFileSync(file, api.kubeConfigYaml());
    const spec = { holderIdentity: 'pod-x', leaseDurationSeconds: 600 };
    api.leases.create({ metadata: { name: 'taken' }, spec });
    await using cli = await Cli.open(file);
    const waiting = await cli.run('lock', 'taken', '--timeout', '8s', '--', 'true');
    expect(waiting.code).toBe(1);
    expect(waiting.stderr.match(/waiting: lock default\/taken is held by "pod-x"\n/g)).toHaveLength(
      1,
    );
  } finally {
    await api.close();
    rmSync(folder, { recursive: true });
  }
});

it('an API server that does not answer is waited for, and said so', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cli-waiting-'));
  const file = join(folder, 'kubeconfig');
  const api = await startLeaseServer();
  try {
    writeFileSync(file, api.kubeConfigYaml());
    await api.close();
    await using cli = await Cli.open(file);
    const waiting = await cli.run('lock', 'job', '--timeout', '8s', '--', 'true');
    expect(waiting.code).toBe(69);
    expect(waiting.stderr.match(/warning: .*cannot be reached/g)).toHaveLength(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
