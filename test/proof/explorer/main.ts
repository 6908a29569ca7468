import { search } from './search.js';
import { scopes } from './scopes.js';

for (const scope of scopes) {
  const found = search(scope, Number(process.argv[2]));
  console.log(scope.name, found.states, found.transitions, found.depth, found.seconds, found.exhausted, found.progress, found.violation);
}
