// Candidates of ours beside client-go's, and the records of other electors. Side by side: they mostly wait.
import { mixedStory } from './mixed/story.js';
import { foreignStories } from './stories/foreign.js';
import { rivalStories } from './stories/rivals.js';

mixedStory();
rivalStories();
foreignStories();
