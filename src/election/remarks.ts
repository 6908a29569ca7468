import type { EventRecorder } from '../lease/store.js';
import type { LeaseView } from '../lease/view.js';

/** Tells the people of the cluster who leads, in the words that client-go has for it; best effort. */
export class Remarks {
  readonly #recorder: EventRecorder;
  readonly #view: LeaseView;
  readonly #identity: string;
  #last: Promise<void> = Promise.resolve();
  /** Of the Lease that the term began on: it may be another one, or none, when the term ends. */
  #uid = '';

  constructor(recorder: EventRecorder, view: LeaseView, identity: string) {
    this.#recorder = recorder;
    this.#view = view;
    this.#identity = identity;
  }

  /** Settles with the last remark, within seconds; never rejects. */
  get settled(): Promise<void> {
    return this.#last;
  }

  /**
   * Tells of one term.
   * @param ended resolves when the leadership has ended, whatever becomes of the lease
   * @returns settles with the last remark of the term
   */
  async term(ended: Promise<void>): Promise<void> {
    this.#started();
    await ended;
    this.#tell('stopped leading');
    await this.#last;
  }

  #started(): void {
    const { sight } = this.#view;
    if (sight.kind === 'present') this.#uid = sight.lease.uid;
    this.#tell('became leader');
  }

  #tell(what: string): void {
    const [uid, identity] = [this.#uid, this.#identity];
    const { key } = this.#view;
    const message = `${identity} ${what}`;
    const told = this.#recorder.record({ key, uid, identity, message });
    this.#last = Promise.all([this.#last, told]).then(() => undefined);
  }
}
