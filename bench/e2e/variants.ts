import { createServer } from 'node:net';
import { join } from 'node:path';
import { CHECK_SUFFIX, CLIENT_MODEL, DELAY_SUFFIX, UPSTREAM_MODEL } from './bodies.ts';
import { type Running, start } from './process.ts';

/** Something that stands between client and mock. */
export interface Variant {
  readonly name: 'nginx' | 'bare' | 'tollgate';
  /** Whether the mock sees the deployment's model instead of the client's. */
  readonly renamesModel: boolean;
  /** Writes its configuration into `folder` and starts it on `port`; `readiness` answers 200 when it serves. */
  launch(folder: string, port: number, mockPort: number): Promise<Running>;
}

const ROOT = join(import.meta.dir, '../..');
/** The launcher's own setting: without it fetch runs 256 requests at once. */
const ENGINE_ENV = { BUN_CONFIG_MAX_HTTP_REQUESTS: '20000' };

const nginx: Variant = {
  name: 'nginx',
  renamesModel: false,
  async launch(folder, port, mockPort) {
    const path = join(folder, 'nginx.conf');
    await Bun.write(path, nginxConfig(port, mockPort));
    return start(['nginx', '-e', 'stderr', '-p', folder, '-c', path], {
      cpu: 1,
      cwd: folder,
      log: join(folder, 'nginx.log'),
    });
  },
};

const bare: Variant = {
  name: 'bare',
  renamesModel: false,
  async launch(folder, port, mockPort) {
    const command = [
      process.execPath,
      '--no-env-file',
      join(import.meta.dir, 'bare.ts'),
      String(port),
      String(mockPort),
    ];
    return start(command, { cpu: 1, cwd: folder, env: ENGINE_ENV, log: join(folder, 'bare.log') });
  },
};

const tollgate: Variant = {
  name: 'tollgate',
  renamesModel: true,
  async launch(folder, port, mockPort) {
    const path = join(folder, 'tollgate.yaml');
    await Bun.write(path, tollgateConfig(mockPort));
    const command = [join(ROOT, 'bin/tollgate'), '--config', path, '--host', '127.0.0.1', '--port', String(port)];
    const env = { LITELLM_MASTER_KEY: 'sk-bench-master-key', TOLLGATE_DATA_DIR: join(folder, 'data') };
    return start(command, { cpu: 1, cwd: folder, env, log: join(folder, 'tollgate.log') });
  },
};

export const VARIANTS: readonly Variant[] = [nginx, bare, tollgate];

/** A launched variant that has answered 200. */
export interface Launched {
  readonly variant: Variant;
  readonly pid: number;
  readonly port: number;
  /** From just before exec to the first 200 on /health/readiness, milliseconds. */
  readonly firstAnswerMs: number;
}

/** Starts a variant on a free port and waits, at most 20 seconds, for its first 200. */
export async function launch(variant: Variant, folder: string, mockPort: number): Promise<Launched> {
  const port = await freePort();
  const before = performance.now();
  const { pid, exited } = await variant.launch(folder, port, mockPort);
  let hasExited = false;
  void exited.then(() => {
    hasExited = true;
  });
  while (!(await isReady(port))) {
    if (hasExited || performance.now() - before > 20_000) {
      const log = await Bun.file(join(folder, `${variant.name}.log.err`)).text();
      throw new Error(
        `${variant.name} ${hasExited ? 'ended' : 'did not answer'} before its first 200:\n${log.slice(-2000)}`,
      );
    }
    await Bun.sleep(1);
  }
  return { variant, pid, port, firstAnswerMs: performance.now() - before };
}

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/health/readiness`, { keepalive: false });
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

/** One worker, keep-alive on both sides, bodies held in memory, no log; buffering off, as streams need it and small answers like it. */
const nginxConfig = (port: number, mockPort: number): string => `
daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; client_max_body_size 64m; client_body_buffer_size 2m;
  client_body_temp_path temp1; proxy_temp_path temp2; fastcgi_temp_path temp3; uwsgi_temp_path temp4; scgi_temp_path temp5;
  upstream mock { server 127.0.0.1:${mockPort}; keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    location = /health/readiness { return 200 "ready"; }
    location / { proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
  }
}
`;

const tollgateConfig = (mockPort: number): string =>
  'model_list:\n' +
  ['', DELAY_SUFFIX, CHECK_SUFFIX]
    .map(
      (suffix) => `  - model_name: ${CLIENT_MODEL}${suffix}
    litellm_params:
      model: openai/${UPSTREAM_MODEL}${suffix}
      api_base: http://127.0.0.1:${mockPort}/v1
      api_key: sk-bench-upstream-key
`,
    )
    .join('') +
  'general_settings:\n  master_key: os.environ/LITELLM_MASTER_KEY\n';
