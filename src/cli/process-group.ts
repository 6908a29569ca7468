/** Who is left of a command: the processes of its group. */
import { readFileSync, readdirSync } from 'node:fs';

/**
 * Whether a process of the group runs. On Linux zombies do not count: as process 1 of a container Node.js reaps no
 * orphans, so that a group may consist of zombies for good, and `kill(-pgid, 0)` cannot tell them apart.
 */
export function hasMembers(pgid: number): boolean {
  return process.platform === 'linux' ? hasLivingMembers(pgid) : answersSignals(pgid);
}

function answersSignals(pgid: number): boolean {
  try {
    process.kill(-pgid, 0);
    return true;
  } catch (error) {
    // Members that we may not signal are members.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function hasLivingMembers(pgid: number): boolean {
  // The cheap question first: it answers most of the time.
  if (!answersSignals(pgid)) return false;
  try {
    return readdirSync('/proc').some((entry) => /^\d+$/.test(entry) && isMember(entry, pgid));
  } catch {
    // Without /proc there is no better answer.
    return true;
  }
}

/** See proc_pid_stat(5): `pid (name) state ppid pgrp …`, where the name may contain anything. */
function isMember(pid: string, pgid: number): boolean {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    // It has just ended.
    return false;
  }
  const [state = '', , group = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(group) === pgid && !'ZX'.includes(state);
}
