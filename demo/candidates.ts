// The three candidates as the demo sees them: who leads, and every term there was.
import type { Member } from './crew.js';
import { now, timings, type Report, type ReportOf } from './messages.js';
import type { Stage } from './stage.js';

export interface Term {
  readonly by: Member;
  readonly token: bigint;
  readonly from: number;
  /** The last instant at which its process may have believed to lead; `null` while it goes on. */
  until: number | null;
}

/** A write is prepared four times a second. */
const MOST_TRIES = 100;

type Said<T extends Report['type']> = ReportOf<T> & { readonly by: Member };

export class Candidates {
  readonly terms: Term[] = [];
  readonly #stage: Stage;
  readonly #names: readonly string[];
  #members: readonly Member[] = [];
  readonly #leaders = new Map<Member, string | null>();
  #renewedAt = 0;
  #hasWritten: Term | undefined;

  constructor(stage: Stage, names: readonly string[]) {
    this.#stage = stage;
    this.#names = names;
    stage.crew.listen((by, report) => {
      if (this.#members.includes(by)) this.#hear(by, report);
    });
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** Those that are there and do not lead. */
  get others(): readonly Member[] {
    return this.#members.filter((member) => member !== this.leader.by);
  }

  /** The latest term. */
  get leader(): Term {
    const term = this.terms.at(-1);
    if (term === undefined) throw new Error('nobody has led yet');
    return term;
  }

  /** Who is the leader as a candidate sees it. */
  leaderOf(member: Member): string | null {
    return this.#leaders.get(member) ?? null;
  }

  /** Resolves when all are up. */
  start(): Promise<unknown> {
    const { crew, timeline, settingsOf } = this.#stage;
    this.#members = this.#names.map((name) => crew.start('candidate', settingsOf(name, 'leader')));
    const pids = this.#members.map(({ pid }) => pid).join(', ');
    timeline.add({ who: 'demo', what: `starts ${this.#names.join(', ')} (processes ${pids})` });
    return Promise.all(
      this.#members.map((member) => this.next([member], 'ready', `${member.name} to start`)),
    );
  }

  /** To be called before what brings it about. */
  next<T extends Report['type']>(
    members: readonly Member[],
    type: T,
    what: string,
    fits?: (report: ReportOf<T>) => boolean,
  ): Promise<Said<T>> {
    return this.#stage.crew.next(members, type, what, undefined, fits);
  }

  /**
   * Resolves as the leader prepares a write, between two renewals and far from both, so that what is done to
   * it now does not meet a request half-way. With the instant at which the last renewal was sent.
   */
  async betweenRenewals(): Promise<number> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const { by, from } = this.leader;
      await this.next([by], 'prepares', 'the leader to prepare a write');
      const share = (now() - this.#renewedAt) / timings.renewIntervalMs;
      if (this.#renewedAt > from && share > 0.2 && share < 0.7) return this.#renewedAt;
    }
    throw new Error('this machine is too busy to show what happens between two renewals');
  }

  kill(member: Member, at: number): void {
    this.#stage.crew.release(member);
    member.signal('SIGKILL');
    this.leader.until = at;
    this.#members = this.#members.filter((other) => other !== member);
  }

  /** Ends them gracefully, and says what is to be said of their terms. */
  async retire(): Promise<void> {
    const { crew, timeline, expectations } = this.#stage;
    timeline.add({ who: 'demo', what: 'asks the candidates to end' });
    await crew.dismiss(this.#members);
    for (const { name } of this.#members) {
      timeline.add({ who: name, what: 'has ended', phase: 'absent' });
    }
    const terms = [...this.terms].sort((a, b) => a.from - b.from);
    const pairs = terms.slice(1).map((term, index) => [terms[index] ?? term, term] as const);
    const overlaps = pairs.filter(
      ([before, { from }]) => (before.until ?? Infinity) >= from,
    ).length;
    const growing = pairs.filter(([before, { token }]) => token > before.token).length;
    const range = `${terms[0]?.token ?? 0n} to ${this.leader.token}`;
    expectations.check(
      'election: two leaders at one moment',
      'never',
      overlaps === 0 ? `never, in ${terms.length} terms` : `${overlaps} times`,
      overlaps === 0,
    );
    expectations.check(
      'election: tokens of its leaders',
      'strictly growing',
      growing === pairs.length ? `${range}, in ${terms.length} terms` : `not always: ${range}`,
      growing === pairs.length,
    );
  }

  #hear(by: Member, report: Report): void {
    const { timeline } = this.#stage;
    const { at } = report;
    const add = (what: string, phase?: 'waiting' | 'leading'): void =>
      timeline.add({ at, who: by.name, what, ...(phase === undefined ? {} : { phase }) });
    switch (report.type) {
      case 'ready':
        return add('is up, and campaigns', 'waiting');
      case 'leads':
        this.terms.push({ by, token: report.token, from: at, until: null });
        return add(`LEADS, with fencing token ${report.token}`, 'leading');
      case 'asked':
        return add('is asked to step down: finishes what it is writing, then lets go');
      case 'stopped': {
        const term = this.terms.findLast((each) => each.by === by);
        if (term !== undefined) term.until ??= report.ledAt;
        if (report.reason === 'lost')
          return add('its leadership is LOST, its job ended', 'waiting');
        return add('RELEASES the lease', 'waiting');
      }
      case 'renewed':
        if (by === this.leader.by) this.#renewedAt = at;
        return;
      case 'sees':
        this.#leaders.set(by, report.leader);
        return;
      case 'wrote':
        return this.#hearOfWrite(by, report);
      case 'warning':
        return add(`warning: ${report.message}`);
      default:
        return;
    }
  }

  /** Of the many that are accepted, only the first of each term is shown. */
  #hearOfWrite(by: Member, { at, isAccepted, token, greatest }: ReportOf<'wrote'>): void {
    const add = (what: string): void => this.#stage.timeline.add({ at, who: by.name, what });
    const late = token < greatest;
    if (!isAccepted)
      add(`its write with token ${token} is REFUSED: the store has seen ${greatest}`);
    else if (late)
      add(`its write with token ${token} is ACCEPTED, though the store has seen ${greatest}`);
    else if (this.#hasWritten !== this.leader) {
      this.#hasWritten = this.leader;
      add(`writes to the store with token ${token}: ACCEPTED`);
    }
  }
}
