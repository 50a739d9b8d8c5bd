/** One load that every variant gets. */
export interface Workload {
  readonly name: string;
  /** Request body, see `bodies.ts`. */
  readonly body: 'small' | '100k' | '1m' | 'stream' | 'delay';
  readonly connections: number;
  /** Requests per second of an open loop, or null for a closed one. */
  readonly rate: number | null;
  readonly seconds: number;
  /** Whether the mock is also loaded without a proxy: the floor of latency and the proof that it is no bottleneck. */
  readonly withDirect: boolean;
  readonly inQuick: boolean;
}

const plain = (body: Workload['body'], connections: number, inQuick: boolean): Workload => ({
  name: `${body} x ${connections}`,
  body,
  connections,
  rate: null,
  seconds: 1.6,
  withDirect: body === 'small',
  inQuick,
});

const streams = (connections: number, inQuick: boolean): Workload => ({
  name: `stream x ${connections}`,
  body: 'stream',
  connections,
  rate: null,
  seconds: 3.6,
  withDirect: false,
  inQuick,
});

/** Low load for added latency: far below saturation, upstream 50 ms away. */
const LOW_LOAD: Workload = {
  name: '100 rps, 50 ms upstream',
  body: 'delay',
  connections: 64,
  rate: 100,
  seconds: 4,
  withDirect: true,
  inQuick: true,
};

export const WORKLOADS: readonly Workload[] = [
  plain('small', 1, true),
  plain('small', 64, true),
  plain('small', 200, false),
  plain('100k', 1, false),
  plain('100k', 64, false),
  plain('100k', 200, false),
  plain('1m', 1, false),
  plain('1m', 64, true),
  plain('1m', 200, false),
  streams(1, false),
  streams(64, false),
  streams(200, true),
  LOW_LOAD,
];
