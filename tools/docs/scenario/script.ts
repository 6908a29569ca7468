/**
 * Scenarios as text: lines that begin with `#` tell the story, lines that begin with `>` are commands, and every other
 * line is the trace that the commands leave. The trace is never written by hand.
 */

export interface ScriptStep {
  /** Lines that tell what this step is about. */
  readonly prose: readonly string[];
  readonly command: string;
}

export interface Script {
  readonly steps: readonly ScriptStep[];
  /** What is said at the end. */
  readonly closing: readonly string[];
}

export function parse(text: string): Script {
  const steps: ScriptStep[] = [];
  let prose: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) prose.push(line);
    if (!line.startsWith('> ')) continue;
    steps.push({ prose, command: line.slice(2).trim() });
    prose = [];
  }
  return { steps, closing: prose };
}

/** The text of a script with these traces, one for each of its steps. */
export function render({ steps, closing }: Script, traces: readonly string[][]): string {
  const lines: string[] = [];
  for (const [index, { prose, command }] of steps.entries()) {
    const trace = traces[index] ?? [];
    // Commands that leave no trace stand together: they say who takes part.
    const isApart = prose.length > 0 || trace.length > 0 || (traces[index - 1] ?? []).length > 0;
    if (isApart && index > 0) lines.push('');
    lines.push(...prose);
    if (index === 0 && prose.length > 0) lines.push('');
    lines.push(`> ${command}`, ...trace);
  }
  if (closing.length > 0) lines.push('', ...closing);
  return `${lines.join('\n')}\n`;
}
