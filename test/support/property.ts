// Property tests: the same cases in every run, since a run that fails by chance tells nothing about a change. Another
// seed is given by SYNC_TEST_SEED; a failure prints the one that it had.
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.SYNC_TEST_SEED ?? '20260101') });

export { fc };
