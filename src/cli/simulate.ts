import { parseArgs } from 'node:util';
import { type Fault, parseFaults } from '../simulator/fault.ts';
import { type SimulatorOptions, startSimulator } from '../simulator/simulator.ts';
import type { Io } from './io.ts';

const HELP = `tollgate simulate: OpenAI, Azure and Anthropic on loopback, for tests and for rehearsing an outage

  tollgate simulate [--port 4010] [--corpus DIR]

  --port N                port to listen on; 0 takes a free one (4010)
  --host ADDRESS          address to listen on (127.0.0.1)
  --corpus DIR            replay recordings from this folder before inventing answers
  --size N                characters of an invented answer (200)
  --piece-size N          characters of text in one event of a stream (8)
  --tokens-per-second N   speed of streams (as fast as possible)
  --latency MS            wait before every answer (0)
  --seed N                other answers to the same requests (1)
  --key KEY               accept this credential only; may be repeated (any is accepted)
  --fault WORDS           harm every request: 429, reset@100, stall@events:3, latency@2000 ...
  --demo                  manners of the gateway's demo model: "fail with 429", "stall", "cut", "tool"
`;

interface SimulateArguments {
  readonly options: SimulatorOptions;
  readonly faults: readonly Fault[];
}

/**
 * Runs `tollgate simulate` until SIGINT or SIGTERM.
 *
 * @param argv words after the subcommand
 * @returns the exit code: 0 when it was stopped, 1 when it could not start, 2 when the arguments are wrong
 */
export async function simulate(argv: readonly string[], io: Io): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    io.write(HELP);
    return 0;
  }
  const args = readSimulateArguments(argv);
  if (typeof args === 'string') {
    io.writeError(`tollgate simulate: ${args}\nRun 'tollgate simulate --help' for the flags.\n`);
    return 2;
  }
  try {
    const simulator = await startSimulator(args.options);
    if (args.faults.length > 0) simulator.inject(args.faults);
    io.write(greeting(simulator.url));
    await stopSignal();
    await simulator.stop();
    return 0;
  } catch (error) {
    io.writeError(`tollgate simulate: ${(error as Error).message}\n`);
    return 1;
  }
}

/** Reads the flags, or says what is wrong with them. */
export function readSimulateArguments(argv: readonly string[]): SimulateArguments | string {
  const value = { type: 'string' } as const;
  const flags = { corpus: value, host: value, fault: value, demo: { type: 'boolean' } } as const;
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: { ...flags, ...NUMBERS, key: { type: 'string', multiple: true } },
    });
    return {
      faults: parseFaults(values.fault ?? ''),
      options: {
        port: numberFlag('port', values.port) ?? 4010,
        hostname: values.host ?? '127.0.0.1',
        corpus: values.corpus ?? null,
        keys: values.key ?? null,
        demo: values.demo ?? false,
        size: numberFlag('size', values.size) ?? 200,
        pieceSize: numberFlag('piece-size', values['piece-size']) ?? 8,
        latency: numberFlag('latency', values.latency) ?? 0,
        seed: numberFlag('seed', values.seed) ?? 1,
        tokensPerSecond: numberFlag('tokens-per-second', values['tokens-per-second']),
      },
    };
  } catch (error) {
    return (error as Error).message.split('\n', 1)[0] ?? 'wrong arguments';
  }
}

const NUMBERS = {
  port: { type: 'string' },
  size: { type: 'string' },
  'piece-size': { type: 'string' },
  latency: { type: 'string' },
  seed: { type: 'string' },
  'tokens-per-second': { type: 'string' },
} as const;

function numberFlag(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d+(\.\d+)?$/.test(text)) throw new Error(`--${name} must be a number, not '${text}'`);
  return Number(text);
}

function greeting(url: string): string {
  return `Simulated providers at ${url}
  OpenAI     base URL ${url}/v1
  Azure      base URL ${url}   (deployments of any name)
  Anthropic  base URL ${url}

Try it:
  curl ${url}/v1/chat/completions -H 'Authorization: Bearer sk-any' \\
    -H 'Content-Type: application/json' \\
    -d '{"model": "gpt-4", "messages": [{"role": "user", "content": "Hello"}]}'

Harm the next answer:
  curl ${url}/_simulator/faults -d '{"fault": "429", "times": 1}'
`;
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
