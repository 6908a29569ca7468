// Tests that mostly wait, side by side.
import { drainStories } from './stories/drain.js';
import { foreignStories } from './stories/foreign.js';
import { embeddedOutageStories } from './stories/outage.js';
import { rivalStories } from './stories/rivals.js';

embeddedOutageStories();
drainStories();
rivalStories();
foreignStories();
