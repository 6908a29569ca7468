// A test file of its own: what the machine does for others would be no part of the story.
import { mixedStory } from './mixed/story.js';

mixedStory();
