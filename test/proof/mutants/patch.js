/** @param {import('./mutant.js').Mutant} mutant */
export function planted(text, { name, file, find, replace }) {
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`mutant ${name}: its text occurs ${count} times in ${file}`);
  return text.replace(find, () => replace);
}
