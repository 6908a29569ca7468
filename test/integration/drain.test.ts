// Not in patience.test.ts: its candidates ask the shared API server, where requests are counted.
import { drainStories } from './stories/drain.js';

drainStories();
