// The child's side of a worker: answers the calls of the test that started it, one message each.

/** What a worker can be asked, by name. Arguments and results are copied from process to process. */
export type Calls = Readonly<Record<string, (argument: never) => unknown>>;

export interface Request {
  readonly id: number;
  readonly call: string;
  readonly argument: unknown;
}

export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };

/** Serves until the test ends or lets go of it; a worker never outlives its test. */
export function serve(calls: Calls): void {
  process.on('message', (request: Request) => void answer(calls, request));
  process.once('disconnect', () => process.exit());
  send({ id: 0, result: 'ready' });
}

/** What the test gave this worker to begin with. */
export function settings(): unknown {
  return JSON.parse(process.argv[2] ?? '{}');
}

async function answer(calls: Calls, { id, call, argument }: Request): Promise<void> {
  try {
    const perform = calls[call] as ((argument: unknown) => unknown) | undefined;
    if (perform === undefined) throw new Error(`there is no call ${call}`);
    send({ id, result: await perform(argument) });
  } catch (error) {
    send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

function send(answer: Answer): void {
  process.send?.(answer);
}
