import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { hasMembers } from '../../../src/cli/process-group.js';

function group(script: string) {
  const child = spawn('sh', ['-c', script], { detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
  return { child, pgid: child.pid! };
}

/** As proc_pid_stat(5) has it; Node.js reaps a child only when its event loop runs. */
function stateOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '';
}

describe('a process group', () => {
  it('has members while its first process runs, and none when it was reaped', async () => {
    const { child, pgid } = group('read -r line');
    expect(hasMembers(pgid)).toBe(true);
    child.stdin.end('\n');
    await once(child, 'exit');
    expect(hasMembers(pgid)).toBe(false);
  });

  it('has members while a process runs that its first process left behind', async () => {
    const { child, pgid } = group('sleep 60 & echo left');
    await once(child, 'exit');
    expect(hasMembers(pgid)).toBe(true);
    process.kill(-pgid, 'SIGKILL');
    while (hasMembers(pgid)) await new Promise((resolve) => setImmediate(resolve));
  });

  // Zombies are told from others by /proc; elsewhere they count as members.
  const onLinux = process.platform === 'linux' ? it : it.skip;
  onLinux('has none when all that is left are zombies, though they answer to signals', () => {
    const { pgid } = group('exit 0');
    // The event loop is not let run, so that the child stays a zombie.
    while (stateOf(pgid) !== 'Z');
    expect(() => process.kill(-pgid, 0)).not.toThrow();
    expect(hasMembers(pgid)).toBe(false);
  });
});
