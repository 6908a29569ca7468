// A process that tells what it runs on.
import { readFileSync } from 'node:fs';
import { serve } from './serve.js';

export type VersionCalls = typeof calls;

const calls = {
  versions: (): { node: string; clientNode: string } => {
    const entry = import.meta.resolve('@kubernetes/client-node');
    const { version } = JSON.parse(readFileSync(new URL('../package.json', entry), 'utf8')) as {
      version: string;
    };
    return { node: process.version, clientNode: version };
  },
};

serve(calls);
