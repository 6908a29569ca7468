/** Plays the commands of a script and puts their traces into it. */
import { Cluster } from './cluster.js';
import { shipped, type Protocol } from './protocol.js';
import { parse, render } from './script.js';

type Words = Readonly<Record<string, string>>;
type Act = (cluster: Cluster, words: Words) => void;

const WRITE = "(?<name>\\w+)'s (?<what>claim|renewal|release|bump|write)";

/** Every command: how it is written, and what it does. Words in capitals are filled in. */
const COMMANDS: readonly (readonly [usage: string, pattern: RegExp, act: Act])[] = [
  ['lease vacant', /^lease vacant$/, (cluster) => cluster.given('', 0)],
  [
    'lease held by NAME, idle TIME',
    /^lease held by (?<name>\w+), idle (?<time>\S+)$/,
    (cluster, { name = '', time = '' }) => cluster.given(name, msOf(time)),
  ],
  [
    'candidate NAME [duration=TIME] [renew=TIME] [margin=TIME] [trustServerClock=false] [chance=0.5]',
    /^candidate (?<name>\w+)(?<options>( \w+=\S+)*)$/,
    (cluster, { name = '', options = '' }) => add(cluster, name, options),
  ],
  [
    'NAME acquire',
    /^(?<name>\w+) acquire$/,
    (cluster, { name = '' }) => cluster.candidate(name).acquire(),
  ],
  [
    'NAME release, or NAME give up',
    /^(?<name>\w+) (release|give up)$/,
    (cluster, { name = '' }) => cluster.candidate(name).stop(),
  ],
  [
    'advance TIME, or advance to TIME',
    /^advance (?<to>to )?(?<time>\S+)$/,
    (cluster, { to, time = '' }) => {
      cluster.advanceTo(to === undefined ? cluster.now + msOf(time) : msOf(time));
    },
  ],
  ['crash NAME', /^crash (?<name>\w+)$/, (cluster, { name = '' }) => cluster.crash(name)],
  [
    'suspend NAME TIME',
    /^suspend (?<name>\w+) (?<time>\S+)$/,
    (cluster, { name = '', time = '' }) => cluster.suspend(name, msOf(time)),
  ],
  [
    "drop NAME's WRITE",
    new RegExp(`^drop ${WRITE}$`),
    (cluster, { name = '', what = '' }) => cluster.plan({ name, what, wayMs: Infinity }),
  ],
  [
    "drop reply of NAME's WRITE",
    new RegExp(`^drop reply of ${WRITE}$`),
    (cluster, { name = '', what = '' }) => cluster.plan({ name, what, isReplyLost: true }),
  ],
  [
    "delay NAME's WRITE TIME [and drop its reply]",
    new RegExp(`^delay ${WRITE} (?<time>\\S+)(?<drop> and drop its reply)?$`),
    (cluster, { name = '', what = '', time = '', drop }) => {
      cluster.plan({ name, what, wayMs: msOf(time), isReplyLost: drop !== undefined });
    },
  ],
  [
    'stall watch of NAME',
    /^stall watch of (?<name>\w+)$/,
    (cluster, { name = '' }) => (cluster.candidate(name).isWatching = false),
  ],
  ['kubectl label', /^kubectl label$/, (cluster) => cluster.label()],
  [
    'kubectl edit holder=NAME',
    /^kubectl edit holder=(?<name>\w+)$/,
    (cluster, { name = '' }) => cluster.editHolder(name),
  ],
  ['kubectl delete', /^kubectl delete$/, (cluster) => cluster.remove()],
];

/** The text of a scenario with the traces that this protocol leaves. */
export function play(text: string, protocol: Protocol = shipped): string {
  const script = parse(text);
  const cluster = new Cluster(protocol);
  const traces = script.steps.map(({ command }) => {
    perform(cluster, command);
    const trace = cluster.takeTrace();
    // What time has brought about is summed up; what a command does by itself is in its trace.
    if (!command.startsWith('advance')) return trace;
    return [...trace, ...cluster.table()];
  });
  return render(script, traces);
}

function perform(cluster: Cluster, command: string): void {
  for (const [, pattern, act] of COMMANDS) {
    const match = pattern.exec(command);
    if (match === null) continue;
    act(cluster, match.groups ?? {});
    cluster.advanceTo(cluster.now);
    return;
  }
  const known = COMMANDS.map(([usage]) => `  ${usage}`).join('\n');
  throw new Error(`"${command}" is not a command. Commands:\n${known}`);
}

function msOf(time: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s)$/.exec(time) ?? [];
  if (amount === undefined) throw new Error(`"${time}" is not a time such as 500ms or 2s`);
  return Math.round(Number(amount) * (unit === 's' ? 1_000 : 1));
}

const DURATIONS: Readonly<Record<string, 'durationMs' | 'renewIntervalMs' | 'marginMs'>> = {
  duration: 'durationMs',
  renew: 'renewIntervalMs',
  margin: 'marginMs',
};

function add(cluster: Cluster, name: string, options: string): void {
  let terms: Parameters<Cluster['add']>[1] = {};
  let chance = 0;
  for (const option of options.split(' ').filter((one) => one !== '')) {
    const [key = '', value = ''] = option.split('=');
    const duration = DURATIONS[key];
    if (duration !== undefined) terms = { ...terms, [duration]: msOf(value) };
    else if (key === 'chance') chance = Number(value);
    else if (key === 'trustServerClock') terms = { ...terms, trustServerClock: value === 'true' };
    else throw new Error(`"${key}" is not an option of a candidate`);
  }
  cluster.add(name, terms, chance);
}
