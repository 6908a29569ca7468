// `npm start`: the demo on the command line. See options.ts for what it can be told.
import { interruptible } from './interruption.js';
import { HELP, UsageError, parseOptions } from './options.js';
import { paint, print } from './paint.js';

const USAGE_STATUS = 2;

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(HELP);
    return 0;
  }
  if (process.platform === 'win32')
    throw new UsageError('the demo pauses processes by SIGSTOP, which Windows does not have');
  const abort = interruptible();
  // The first line is there at once; the first run compiles, which takes two seconds.
  print(
    paint('bold', '@metaparticle/sync: leader election and locks on Kubernetes Leases, shown live'),
  );
  const { runDemo } = await import('./demo.js');
  return runDemo(options, abort);
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\nnpm start -- --help says what there is\n`);
  process.exitCode = USAGE_STATUS;
}
