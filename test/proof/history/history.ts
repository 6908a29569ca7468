// Until its importers name the module itself.
export type * from '../../../tools/harness/history/history.js';
