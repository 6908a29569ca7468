// Tests that mostly wait, for minutes, side by side. Outages have API servers of their own.
import { mixedStory } from './mixed/story.js';
import { realOutageStories } from './stories/outage.js';
import { longRivalStories } from './stories/rivals.js';

realOutageStories();
longRivalStories();
mixedStory();
