import { Worker } from 'node:worker_threads';
import type { Client } from '../clients/client.ts';
import { UnavailableError } from '../errors.ts';
import type { Answer, Evaluate, Job } from './evaluate.ts';
import { describeProblem, internalProblem } from './problem.ts';

export interface PoolOptions {
  /** Module of the worker; it says `'ready'` and then answers each {@link WorkerCall} with a {@link WorkerReply}. */
  module: URL;
  workerData: unknown;
  /** Number of worker threads, at least 2. */
  workers: number;
  /** Jobs a worker holds at a time: while one waits for a FHIR server, others run. */
  jobsPerWorker: number;
  /** Jobs that may wait; more are refused. */
  queueLength: number;
  /** Bodies above this many bytes leave one worker free of them. */
  largeBytes: number;
  /** Milliseconds until a job is answered 503; a worker that is silent for twice as long is replaced. */
  deadlineMs: number;
  /** Told when a worker died or was replaced. */
  onCrash?(reason: string): void;
}

export interface WorkerCall {
  id: number;
  job: Omit<Job, 'client'>;
  /** Place in which the worker keeps the client. */
  place: number;
  /** Sent once: left out where it is the one in this place. */
  client?: Client;
}

export interface WorkerReply {
  id: number;
  answer: Answer;
}

export interface Pool {
  evaluate: Evaluate;
  /** Resolves when every worker can take jobs; rejects when one cannot start. */
  started: Promise<void>;
  isReady(): boolean;
  /** Jobs waiting for a worker, and jobs running. */
  load(): { waiting: number; running: number };
  /** Ends the workers; jobs still there are answered 500. */
  close(): Promise<void>;
}

interface Task {
  job: Job;
  isLarge: boolean;
  settle(answer: Answer): void;
}

interface Seat {
  thread: Worker;
  state: 'starting' | 'ready' | 'ended';
  running: Map<number, Task>;
  /** The places of the clients its thread has, the one longest not used first. */
  clients: Map<Client, number>;
}

/**
 * V8 sizes the young generation as three semi-spaces, here of 32 MB: the garbage of a parsed body then mostly dies
 * young. Twice as much takes 200 MB more memory and a tenth less time for the largest bodies, half as much takes a
 * tenth more. A `--max-semi-space-size` on the command line would hold for every thread, instead of this.
 */
const maxYoungGenerationSizeMb = 3 * 32;
/** Clients a worker keeps: those of profiles that were exchanged are not used again and give way. */
const mostClients = 256;
/** Milliseconds before a worker that died while starting is started again. */
const restartPause = 1000;

/**
 * Starts worker threads that evaluate jobs.
 *
 * A job goes to the worker with the fewest. Large ones never take the last worker free of them, and no job is given to
 * a worker that has a large one: small requests do not wait behind large ones. A worker that dies is replaced and its
 * jobs are answered 500.
 */
export function createPool(options: PoolOptions): Pool {
  const seats = new Set<Seat>();
  const waiting: { small: Task[]; large: Task[] } = { small: [], large: [] };
  const started = Promise.withResolvers<void>();
  // Who starts the pool waits for it; a worker that fails after that is replaced, not reported here.
  started.promise.catch(() => {});
  let calls = 0;
  let isClosed = false;

  function startWorker(): void {
    const thread = new Worker(options.module, {
      workerData: options.workerData,
      resourceLimits: { maxYoungGenerationSizeMb },
    });
    const seat: Seat = { thread, state: 'starting', running: new Map(), clients: new Map() };
    seats.add(seat);
    thread.on('message', (message: WorkerReply | 'ready') => {
      if (message === 'ready') {
        seat.state = 'ready';
        if ([...seats].filter(isReady).length === options.workers) started.resolve();
      } else {
        seat.running.get(message.id)?.settle(message.answer);
        seat.running.delete(message.id);
      }
      dispatch();
    });
    thread.on('error', (error) => {
      started.reject(error);
      endSeat(seat, error instanceof Error ? error.name : 'error');
    });
    thread.on('exit', () => {
      endSeat(seat, 'exit');
      for (const task of seat.running.values()) task.settle({ error: { ...internalProblem } });
      seats.delete(seat);
    });
  }

  /** Takes a worker out of service, once, and has another in its place. */
  function endSeat(seat: Seat, reason: string): void {
    const { state } = seat;
    seat.state = 'ended';
    if (isClosed || state === 'ended') return;
    options.onCrash?.(reason);
    // One that never got ready will hardly do so at once.
    if (state === 'ready') startWorker();
    else setTimeout(() => isClosed || startWorker(), restartPause).unref();
  }

  function dispatch(): void {
    for (const queue of [waiting.small, waiting.large]) {
      for (let seat = findSeat(queue[0]); seat !== undefined; seat = findSeat(queue[0])) {
        const task = queue.shift();
        if (task !== undefined) run(task, seat);
      }
    }
  }

  function findSeat(task: Task | undefined): Seat | undefined {
    if (task === undefined) return undefined;
    const free = [...seats].filter((seat) => isReady(seat) && !hasLarge(seat));
    if (task.isLarge && free.length < 2) return undefined;
    return free
      .filter((seat) => seat.running.size < options.jobsPerWorker)
      .reduce<Seat | undefined>(
        (best, seat) => (best === undefined || seat.running.size < best.running.size ? seat : best),
        undefined,
      );
  }

  function run(task: Task, seat: Seat): void {
    const id = ++calls;
    seat.running.set(id, task);
    const { client, ...job } = task.job;
    // Copying a profile to the thread costs more than finding out that it has it.
    const isKnown = seat.clients.has(client);
    const place = placeClient(seat.clients, client);
    const call: WorkerCall = { id, job, place, ...(!isKnown && { client }) };
    seat.thread.postMessage(call, [task.job.body.buffer]);
    // Nothing in an evaluation takes this long: the thread is stuck.
    const stuck = setTimeout(() => {
      endSeat(seat, 'stuck');
      void seat.thread.terminate();
    }, 2 * options.deadlineMs);
    const settle = task.settle;
    task.settle = (answer) => {
      clearTimeout(stuck);
      settle(answer);
    };
  }

  function evaluate(job: Job): Promise<Answer> {
    const isLarge = job.body.byteLength > options.largeBytes;
    const queue = isLarge ? waiting.large : waiting.small;
    if (isClosed) return Promise.resolve(refuse('draining', 'The service is stopping: try again.'));
    if (waiting.small.length + waiting.large.length >= options.queueLength) {
      return Promise.resolve(refuse('overloaded', 'Too many requests are waiting: try again.'));
    }
    return new Promise((resolve) => {
      const task: Task = {
        job,
        isLarge,
        settle(answer) {
          clearTimeout(deadline);
          resolve(answer);
        },
      };
      const deadline = setTimeout(() => {
        const place = queue.indexOf(task);
        if (place >= 0) queue.splice(place, 1);
        resolve(refuse('deadline', 'The evaluation was not done in time: try again.'));
      }, options.deadlineMs);
      queue.push(task);
      dispatch();
    });
  }

  for (let count = 0; count < options.workers; count++) startWorker();

  return {
    evaluate,
    started: started.promise,
    isReady: () => !isClosed && [...seats].some(isReady),
    load: () => ({
      waiting: waiting.small.length + waiting.large.length,
      running: [...seats].reduce((sum, seat) => sum + seat.running.size, 0),
    }),
    async close() {
      isClosed = true;
      await Promise.all([...seats].map((seat) => seat.thread.terminate()));
      for (const task of [...waiting.small.splice(0), ...waiting.large.splice(0)]) {
        task.settle(refuse('draining', 'The service is stopping: try again.'));
      }
    },
  };
}

/** By the object: clients of several tenants have one id. */
function placeClient(clients: Map<Client, number>, client: Client): number {
  const [oldest] = clients.keys();
  let place = clients.get(client) ?? clients.size;
  if (place >= mostClients && oldest !== undefined) {
    place = clients.get(oldest) ?? 0;
    clients.delete(oldest);
  }
  clients.delete(client);
  clients.set(client, place);
  return place;
}

const isReady = (seat: Seat): boolean => seat.state === 'ready';

const hasLarge = (seat: Seat): boolean => [...seat.running.values()].some((task) => task.isLarge);

function refuse(code: 'overloaded' | 'deadline' | 'draining', message: string): Answer {
  return { error: describeProblem(new UnavailableError(code, message)) };
}
