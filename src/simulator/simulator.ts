import { createServer, type Server } from 'node:net';
import type { Clock, Timer } from '../core/clock.ts';
import { millis } from '../core/units.ts';
import { ADMIN_PREFIX, answerAdmin } from './admin.ts';
import { machineClock } from './clock.ts';
import { type Connection, type Performance, serveConnection } from './connection.ts';
import { loadCorpus, type Recording } from './corpus.ts';
import { type AnswerContext, decide, matchable, understand } from './exchange.ts';
import { type Fault, faultsFromJson } from './fault.ts';
import { type RecordedRequest, RequestLog } from './request-log.ts';
import type { RawRequest } from './request-reader.ts';
import { type Match, type Rule, RuleBook, rule } from './rules.ts';
import { script } from './script.ts';

/** How a simulator is started; every member has a default. */
export interface SimulatorOptions {
  /** 0 (the default) takes a free one. */
  readonly port?: number;
  readonly hostname?: string;
  /** Changes every invented answer; the same seed and request give the same answer. */
  readonly seed?: number;
  /** Folder of recordings to replay, or null. */
  readonly corpus?: string | null;
  /** Characters of an invented text (200). */
  readonly size?: number;
  /** Characters of text in one event of a stream (8). */
  readonly pieceSize?: number;
  /** Speed of streams; null (the default) sends everything at once. A token is four characters. */
  readonly tokensPerSecond?: number | null;
  /** Milliseconds before every answer's head. */
  readonly latency?: number;
  /** Credentials that are good; null (the default) takes any, but none at all is still a 401. */
  readonly keys?: readonly string[] | null;
  /** The gateway's demo model: repeats what was said and obeys words like "fail with 429". */
  readonly demo?: boolean;
  /** How many requests the log keeps (1000). */
  readonly logLimit?: number;
  /** Where waits come from. */
  readonly clock?: Clock;
}

/** Providers on loopback, and what they saw. */
export interface Simulator {
  readonly port: number;
  /** `http://127.0.0.1:PORT`, without a path: Azure's and Anthropic's base; OpenAI's ends in `/v1`. */
  readonly url: string;
  /** Requests in order of arrival, admin calls left out. */
  readonly requests: readonly RecordedRequest[];
  /** Open connections, idle ones included. */
  readonly connections: number;
  /** Resolves when the test holds for the log; asked again after every change. For tests instead of sleeping. */
  until(test: (requests: readonly RecordedRequest[]) => boolean): Promise<void>;
  /**
   * Harms coming requests; gives the rule's id.
   *
   * @param faults a fault, several, or words such as `'429'` and `'reset@100'` (see `parseFaults`)
   * @throws FaultSyntax when words are not understood
   */
  inject(
    faults: Fault | readonly Fault[] | string,
    more?: Partial<Omit<Rule, 'match' | 'faults'>> & { match?: Partial<Match> },
  ): number;
  /** Takes a rule out; false when it is not there. */
  remove(id: number): boolean;
  /** Forgets rules and log, and listens again if it was refusing. */
  reset(): Promise<void>;
  /** Stops listening: new connections are refused, idle ones closed; running answers go on. */
  refuse(): Promise<void>;
  /** Listens again on the same port. */
  accept(): Promise<void>;
  /** Stops listening and closes every connection. */
  stop(): Promise<void>;
}

/**
 * Starts a simulator.
 *
 * @throws when the port is taken or the corpus cannot be read
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const corpus = options.corpus ? loadCorpus(options.corpus) : [];
  const shell = new SimulatorShell(options, corpus);
  await shell.listen(options.port ?? 0);
  return shell;
}

class SimulatorShell implements Simulator {
  readonly #options: SimulatorOptions;
  readonly #corpus: readonly Recording[];
  readonly #clock: Clock;
  readonly #log: RequestLog;
  readonly #rules = new RuleBook();
  readonly #connections = new Set<Connection>();
  readonly #hostname: string;
  #server: Server | null = null;
  #port = 0;
  #connectionCount = 0;
  #turn = 0;
  /** Listens again after a refusal, when its time is over. */
  #reopening: Timer | null = null;

  constructor(options: SimulatorOptions, corpus: readonly Recording[]) {
    this.#options = options;
    this.#corpus = corpus;
    this.#clock = options.clock ?? machineClock;
    this.#log = new RequestLog(options.logLimit ?? 1000);
    this.#hostname = options.hostname ?? '127.0.0.1';
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://${this.#hostname}:${this.#port}`;
  }

  get requests(): readonly RecordedRequest[] {
    return this.#log.records;
  }

  get connections(): number {
    return this.#connections.size;
  }

  until(test: (requests: readonly RecordedRequest[]) => boolean): Promise<void> {
    return this.#log.until(test);
  }

  inject(faults: Fault | readonly Fault[] | string, more: Parameters<Simulator['inject']>[1] = {}): number {
    const list = typeof faults === 'string' ? faultsFromJson(faults) : [faults].flat();
    return this.#rules.add(rule(list, more));
  }

  remove(id: number): boolean {
    return this.#rules.remove(id);
  }

  async reset(): Promise<void> {
    this.#rules.clear();
    this.#log.clear();
    this.#turn = 0;
    await this.accept();
  }

  async refuse(): Promise<void> {
    this.#reopening?.cancel();
    this.#reopening = null;
    const server = this.#server;
    this.#server = null;
    // Listening ends with the call; waiting for its callback would wait for open connections too.
    server?.close();
    for (const connection of this.#connections) connection.closeIfIdle();
  }

  async accept(): Promise<void> {
    if (this.#server === null) await this.listen(this.#port);
  }

  async stop(): Promise<void> {
    await this.refuse();
    for (const connection of [...this.#connections]) connection.stop();
  }

  listen(port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: false, noDelay: true }, (socket) => {
      const number = ++this.#connectionCount;
      const connection = serveConnection(socket, {
        clock: this.#clock,
        perform: (request) => this.#perform(request, number),
        onChange: () => this.#log.changed(),
      });
      this.#connections.add(connection);
      socket.on('close', () => {
        this.#connections.delete(connection);
        this.#log.changed();
      });
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, this.#hostname, () => {
        const address = server.address();
        if (address !== null && typeof address === 'object') this.#port = address.port;
        resolve();
      });
    });
  }

  #perform(request: RawRequest, connection: number): Performance {
    if (request.target === ADMIN_PREFIX || request.target.startsWith(`${ADMIN_PREFIX}/`))
      return this.#performAdmin(request);
    const understood = understand(request);
    const active = understood.ownFaults === null ? this.#rules.take(matchable(understood)) : null;
    const faults = understood.ownFaults ?? active?.faults ?? [];
    const { answer, faults: all, failure } = decide(understood, faults, this.#answerContext());
    const played = script(answer, {
      faults: this.#withLatency(all),
      eventGap: this.#eventGap(),
      keepAlive: request.keepAlive,
      failure,
    });
    const record = this.#log.open({
      connection,
      method: request.method,
      path: understood.path,
      query: understood.query,
      headers: request.headers,
      body: request.body,
      json: understood.json,
      dialect: understood.target.dialect,
      model: understood.model,
      credential: understood.credential,
      at: this.#clock.now(),
      wall: this.#clock.wall(),
      rule: active?.id ?? null,
      status: played.steps.length === 0 ? null : answer.status,
      bytesSent: 0,
      isStalled: false,
      ending: 'pending',
      endedAt: null,
    });
    return { script: played, record };
  }

  #performAdmin(request: RawRequest): Performance {
    const answer = answerAdmin(request, {
      rules: this.#rules,
      log: this.#log,
      refuse: (time) => {
        void this.refuse();
        // A port that was taken meanwhile stays refused; its new owner answers there.
        if (time > 0) this.#reopening = this.#clock.after(millis(time), () => void this.accept().catch(() => {}));
      },
    });
    const failure = (): never => {
      throw new Error('admin calls have no faults');
    };
    return { script: script(answer, { faults: [], eventGap: 0, keepAlive: request.keepAlive, failure }), record: null };
  }

  #answerContext(): AnswerContext {
    const { seed = 1, size = 200, pieceSize = 8, demo = false, keys = null } = this.#options;
    const options = { seed, size, pieceSize, demo };
    return { options, corpus: this.#corpus, keys, turn: this.#turn++, now: this.#clock.wall() };
  }

  #withLatency(faults: readonly Fault[]): readonly Fault[] {
    const head = this.#options.latency ?? 0;
    return head === 0 ? faults : [...faults, { kind: 'latency', head, firstEvent: 0, event: 0 }];
  }

  #eventGap(): number {
    const { tokensPerSecond = null, pieceSize = 8 } = this.#options;
    return tokensPerSecond === null || tokensPerSecond <= 0 ? 0 : (1000 * pieceSize) / 4 / tokensPerSecond;
  }
}
