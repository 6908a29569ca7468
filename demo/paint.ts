// Colour, for terminals that show it; and lines that are not longer than a screen is wide.
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

const isColoured = process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '';

export const WIDTH = Math.max(
  60,
  Math.min(100, process.stdout.isTTY ? process.stdout.columns : 100),
);

export function paint(style: Style, text: string): string {
  return isColoured ? styleText(style, text) : text;
}

const OWN_COLOURS = { 'pod-a': 'cyan', 'pod-b': 'yellow', 'pod-c': 'magenta' } as const;

export function nameStyle(name: string): Style {
  return name in OWN_COLOURS ? OWN_COLOURS[name as keyof typeof OWN_COLOURS] : 'dim';
}

const MARKS: readonly (readonly [RegExp, Style])[] = [
  [/\b(LEADS|ACCEPTED)\b/g, ['bold', 'green']],
  [/\b(KILLED|PAUSED|REFUSED|LOST)\b/g, ['bold', 'red']],
  [/\b(RELEASES|AWAKE)\b/g, 'bold'],
];

/** Words in capitals and the names of pods stand out. */
export function highlight(text: string): string {
  let painted = text.replace(/\bpod-[abc]\b/g, (name) => paint(nameStyle(name), name));
  for (const [words, style] of MARKS) {
    painted = painted.replace(words, (word) => paint(style, word));
  }
  return painted;
}

/** Broken between words. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}
