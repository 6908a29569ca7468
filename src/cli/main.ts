#!/usr/bin/env node
import { exitCodes } from './exit-codes.js';
import { run } from './program.js';

// A reader that goes away (`| head -1`) has all that it wants: what is printed is the result, and nothing else is done.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) =>
  process.exit(code === 'EPIPE' ? 0 : exitCodes.internal),
);
// Words that cannot be told are no reason to end: a command may run under the lease.
process.stderr.on('error', () => undefined);
// Whatever goes wrong, 'exit' comes, and with it the end of the command.
process.on('uncaughtException', (error) => {
  process.stderr.write(`metaparticle-sync: internal error: ${error.stack ?? error.message}\n`);
  process.exit(exitCodes.internal);
});

process.exitCode = await run(process.argv.slice(2), process.stdout, process.stderr);
