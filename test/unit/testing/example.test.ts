// The examples are suites of their own; they run with ours.
import '../../../examples/testing/faults.test.js';
import '../../../examples/testing/report.test.js';
import '../../../examples/testing/time.test.js';
