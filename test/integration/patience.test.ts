// Tests that mostly wait, side by side. Outages have API servers of their own, so that those who
// count the requests of the shared one are not disturbed.
import { outageStories } from './stories/outage.js';
import { requestStories } from './stories/requests.js';

outageStories();
requestStories();
