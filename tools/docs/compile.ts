// Compiles the code that our pages show: `npm run types:pages`. Exit code 1 when some of it does not compile.
import { compile, scriptsOf } from './fences.js';
import { fencesOf, pages } from './pages.js';

const scripts = [...pages].flatMap(([name, text]) => scriptsOf(fencesOf(name, text)));
if (scripts.length === 0) throw new Error('no page shows any code');
const complaints = compile(scripts);
for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exitCode = 1;
