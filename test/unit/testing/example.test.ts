// The example is a suite of its own; it runs with ours.
import '../../../examples/testing/report.test.js';
