// Until its importers name the module itself.
export { check as judge, violations as faults } from '../../../tools/harness/history/checker.js';
