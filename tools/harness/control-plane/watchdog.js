// Removes what a control plane made when the process that started it is gone, however it ended:
// the pipe on standard input closes with that process. Lines on it: `pids N N` names the processes
// to end, `done` says that all is cleaned up already. The only argument is the folder to remove.
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

let pids = [];
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  if (line === 'done') process.exit(0);
  pids = line.split(' ').slice(1).map(Number);
});
lines.on('close', () => {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
  rmSync(process.argv[2], { recursive: true, force: true, maxRetries: 5 });
});
