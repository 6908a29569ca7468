// Nobody else may ask the shared API server meanwhile: its requests are counted.
import { requestStories } from './stories/requests.js';

requestStories();
