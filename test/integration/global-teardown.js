// Ends what the global set-up started; the same process runs both.
import { stopFound } from './global-setup.js';

export default stopFound;
