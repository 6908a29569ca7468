import { advance } from '../../../src/lease/protocol/advance.js';
import { seek } from '../../../src/lease/protocol/seeking.js';
import { observe } from '../../../src/lease/protocol/sight.js';
import { nextStep } from '../../../src/lease/protocol/step.js';

/** The four functions that decide everything; a test may put a faulty one in the place of one of them. */
export interface Protocol {
  readonly seek: typeof seek;
  readonly observe: typeof observe;
  readonly advance: typeof advance;
  readonly nextStep: typeof nextStep;
}

/** The one that ships. */
export const shipped: Protocol = { seek, observe, advance, nextStep };
