import type { CountAnswer, TokenWorker, WorkerEvents } from './worker-counter.ts';

/** Starts the worker of this folder. It does not keep the process alive, and its errors end nothing but itself. */
export function startWorker(events: WorkerEvents, file = new URL('./worker.ts', import.meta.url).href): TokenWorker {
  const worker = new Worker(file, { name: 'tokens', ref: false, smol: true });
  worker.addEventListener('message', (event: MessageEvent<CountAnswer>) => events.answered(event.data));
  worker.addEventListener('error', (event) => {
    event.preventDefault();
    events.lost(event.message);
  });
  worker.addEventListener('close', () => events.lost('it ended'));
  return { send: (job) => worker.postMessage(job), end: () => worker.terminate() };
}
