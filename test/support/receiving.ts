import { afterAll, afterEach, beforeAll, beforeEach } from 'bun:test';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { Receiver } from './receiver.ts';

/** What tests of records that leave the gateway work with: a provider, and for each test a receiver and a gateway. */
export interface ReceivingBench {
  readonly simulator: Simulator;
  readonly receiver: Receiver;
  /** The one that the test started; it is ended after the test. */
  readonly gateway: TestGateway;
  start(config: string, env?: Record<string, string>): Promise<TestGateway>;
}

/** Called at the head of a test file: it registers what has to happen around its tests. */
export function receivingBench(): ReceivingBench {
  let simulator: Simulator | null = null;
  let receiver: Receiver | null = null;
  let gateway: TestGateway | null = null;
  beforeAll(async () => {
    simulator = await startSimulator({ size: 200 });
  });
  afterAll(() => simulator?.stop());
  beforeEach(() => {
    receiver = new Receiver();
  });
  afterEach(async () => {
    await gateway?.stop();
    gateway = null;
    await receiver?.stop();
  });
  return {
    get simulator() {
      return there(simulator);
    },
    get receiver() {
      return there(receiver);
    },
    get gateway() {
      return there(gateway);
    },
    async start(config, env) {
      gateway = await startGateway(config, env);
      return gateway;
    },
  };
}

function there<T>(part: T | null): T {
  if (part === null) throw new Error('it was not started yet');
  return part;
}
