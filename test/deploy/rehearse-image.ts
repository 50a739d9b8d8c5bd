/**
 * Does by hand what `docker build` and `docker run` would do, where there is no Docker: each instruction of the Dockerfile in
 * an empty root, then the entry point as process 1 of its own namespaces, as the image's user, on a root that is read-only.
 *
 *   debootstrap --variant=minbase bookworm BASE
 *   bun test/deploy/rehearse-image.ts BASE WORK
 *
 * BASE stands in for both base images; the Node.js of this machine is copied into the first. Linux, as root. Not a test of CI.
 */
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { root as repository, repositoryFiles } from '../readme/documents.ts';
import { copyOf, execForm, type Instruction, type Stage, stagesOf } from './dockerfile.ts';

const [base = '', work = ''] = Bun.argv.slice(2);
if (!existsSync(join(base, 'bin/sh')) || work === '')
  throw new Error('usage: bun test/deploy/rehearse-image.ts BASE WORK');

const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

interface Built {
  readonly root: string;
  readonly env: Record<string, string>;
  workdir: string;
  user: string;
  entrypoint: readonly string[];
  cmd: readonly string[];
  healthcheck: readonly string[];
}

function say(text: string): void {
  console.log(text);
}

/** Runs a program to its end and gives what it printed; what fails ends the rehearsal. */
function run(words: readonly string[], env: Record<string, string> = {}): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...words], { env: { ...process.env, ...env } });
  if (exitCode !== 0) throw new Error(`${words.join(' ')} ended with ${exitCode}\n${stdout}${stderr}`);
  return stdout.toString();
}

const bytesOf = (folder: string): number => Number(run(['du', '-sxB1', folder]).split('\t')[0]);
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function build(stage: Stage, earlier: ReadonlyMap<string, Built>): Built {
  const root = join(work, stage.alias ?? 'final');
  rmSync(root, { recursive: true, force: true });
  run(['cp', '-a', base, root]);
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
  const built: Built = { root, env, workdir: '/', user: '0', entrypoint: [], cmd: [], healthcheck: [] };
  if (stage.image.startsWith('node:')) bringNode(root);
  for (const instruction of stage.instructions) {
    const before = bytesOf(root);
    perform(instruction, built, earlier);
    const grown = bytesOf(root) - before;
    const size = grown === 0 ? '' : `   ${grown > 0 ? '+' : ''}${megabytes(grown)}`;
    say(`${instruction.name} ${instruction.text.slice(0, 90)}${size}`);
  }
  return built;
}

/** The Node.js that runs here, in the place of that of the base image. */
function bringNode(root: string): void {
  const node = run(['node', '-p', 'process.execPath']).trim();
  const npm = join(dirname(dirname(node)), 'lib/node_modules/npm');
  cpSync(node, join(root, 'usr/local/bin/node'));
  cpSync(npm, join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
  run(['ln', '-s', '../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm')]);
}

function perform({ name, text }: Instruction, built: Built, earlier: ReadonlyMap<string, Built>): void {
  switch (name) {
    case 'RUN':
      chroot(built, text);
      return;
    case 'COPY':
      copy(text, built, earlier);
      return;
    case 'WORKDIR':
      built.workdir = text;
      mkdirSync(join(built.root, text), { recursive: true });
      return;
    case 'ENV': {
      const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(text) ?? [];
      built.env[key] = value;
      return;
    }
    case 'USER':
      built.user = text;
      return;
    case 'ENTRYPOINT':
      built.entrypoint = execForm(text) ?? [];
      return;
    case 'CMD':
      built.cmd = execForm(text) ?? [];
      return;
    case 'HEALTHCHECK':
      built.healthcheck = execForm(text.replace(/^.*? CMD /, '')) ?? [];
      return;
    case 'ARG':
    case 'LABEL':
    case 'VOLUME':
    case 'EXPOSE':
      return;
    default:
      throw new Error(`the rehearsal does not know ${name}`);
  }
}

/** A command in the root, with the network's names and authorities of this machine while it runs. */
function chroot({ root, env, workdir }: Built, command: string): string {
  const lent = ['/etc/resolv.conf', CERTIFICATES].filter((path) => !existsSync(join(root, path)));
  for (const path of lent) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    copyFileSync(path, join(root, path));
  }
  const given = { ...env, HOME: '/root', NODE_EXTRA_CA_CERTS: CERTIFICATES, DEBIAN_FRONTEND: 'noninteractive' };
  const words = Object.entries(given).map(([key, value]) => `${key}=${value}`);
  const inside = `cd ${workdir} && ${command}`;
  const mounts = `mount -t proc proc ${root}/proc && mount --bind /dev ${root}/dev`;
  const output = run([
    'unshare',
    '--mount',
    'sh',
    '-ec',
    `${mounts}; exec chroot ${root} env -i "$@"`,
    'sh',
    ...words,
    'sh',
    '-ec',
    inside,
  ]);
  if (lent.includes('/etc/resolv.conf')) rmSync(join(root, 'etc/resolv.conf'));
  return output;
}

function copy(text: string, { root, workdir }: Built, earlier: ReadonlyMap<string, Built>): void {
  const { from, sources, to } = copyOf(text);
  const target = to.startsWith('/') ? join(root, to) : join(root, workdir, to);
  for (const source of sources) {
    if (from !== null) {
      mkdirSync(dirname(target), { recursive: true });
      run(['cp', '-a', join(earlier.get(from)?.root ?? '', source), target]);
      continue;
    }
    for (const path of repositoryFiles().filter((each) => each === source || each.startsWith(`${source}/`))) {
      const isFolder = path !== source;
      const there = isFolder
        ? join(target, path.slice(source.length))
        : to.endsWith('/')
          ? join(target, basename(path))
          : target;
      mkdirSync(dirname(there), { recursive: true });
      run(['cp', '-p', join(repository, path), there]);
    }
  }
}

/**
 * Starts the entry point as `docker run --read-only --tmpfs /tmp -v DATA:/data` would, asks for its health, stops it.
 *
 * @returns milliseconds to the first 200, namespaces and mounts included
 */
async function start(built: Built, say: (text: string) => void): Promise<number> {
  const { root, user, env, entrypoint, healthcheck } = built;
  const data = join(work, 'data');
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data);
  run(['chown', user, data]);
  const config = join(work, 'config.yaml');
  writeFileSync(config, readFileSync(join(repository, 'config/litellm-config.yaml')));
  chmodSync(config, 0o644);
  const mounts = [
    `mount --bind ${root} ${root}`,
    `mount --bind ${data} ${root}/data`,
    `mount --bind ${config} ${root}/app/config.yaml`,
    `mount -o remount,bind,ro ${root}/app/config.yaml`,
    `mount -t tmpfs tmpfs ${root}/tmp`,
    `mount -t proc proc ${root}/proc`,
    `mount --bind /dev ${root}/dev`,
    `mount -o remount,bind,ro ${root}`,
    'ip link set lo up',
  ].join('\n');
  const variables = { ...env, LITELLM_MASTER_KEY: 'sk-rehearsal-0123456789' };
  const words = [
    ...['chroot', root, 'setpriv', '--reuid', user.split(':')[0] ?? '', '--regid', user.split(':')[1] ?? ''],
    ...['--clear-groups', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', 'env', '-i'],
    ...Object.entries(variables).map(([key, value]) => `${key}=${value}`),
    ...entrypoint,
    ...['--config', '/app/config.yaml', '--detailed_debug'],
  ];
  const began = Bun.nanoseconds();
  const child = Bun.spawn(
    [
      'unshare',
      '--mount',
      '--net',
      '--pid',
      '--fork',
      '--kill-child',
      'sh',
      '-ec',
      `${mounts}\nexec "$@"`,
      'sh',
      ...words,
    ],
    { stdout: 'pipe', stderr: 'inherit' },
  );
  const output = new Response(child.stdout).text();
  const gateway = await childOf(child.pid);
  const inside = (command: readonly string[]) =>
    Bun.spawnSync(['nsenter', '--target', gateway, '--mount', '--net', '--pid', 'chroot', root, ...command]);
  while (inside(['curl', '-fs', 'http://localhost:4000/health']).exitCode !== 0) {
    if (child.exitCode !== null) throw new Error(await output);
    if (Bun.nanoseconds() - began > 30e9) throw new Error('no answer within 30 s');
  }
  const took = Math.round((Bun.nanoseconds() - began) / 1e6);
  say(`${healthcheck.join(' ')}: ${inside(healthcheck).exitCode}, ${inside(healthcheck).stdout}`);
  const status = readFileSync(`/proc/${gateway}/status`, 'utf8');
  for (const name of ['Uid', 'NSpid', 'CapBnd', 'NoNewPrivs', 'VmRSS'])
    say(new RegExp(`^${name}:.*$`, 'm').exec(status)?.[0] ?? name);
  say(
    `write to the root as the user: ${inside(['setpriv', '--reuid', '10001', 'sh', '-c', 'touch /app/x']).stderr}`.trim(),
  );
  process.kill(Number(gateway), 'SIGTERM');
  const code = await child.exited;
  say(`SIGTERM: ended with ${code}`);
  const text = await output;
  say(text.split('\n').slice(-14).join('\n'));
  if (code !== 0) throw new Error('it did not end well');
  return took;
}

/** The process id, outside, of the child that `unshare` forked. */
async function childOf(pid: number): Promise<string> {
  for (;;) {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    if (children !== '') return children;
    await Bun.sleep(1);
  }
}

mkdirSync(work, { recursive: true });
const stages = new Map<string, Built>();
for (const stage of stagesOf(readFileSync(join(repository, 'Dockerfile'), 'utf8'))) {
  say(`FROM ${stage.image}`);
  stages.set(stage.alias ?? 'final', build(stage, stages));
}
const final = stages.get('final');
if (final === undefined) throw new Error('the Dockerfile has no final stage');
const added = bytesOf(final.root) - bytesOf(base);
say(`\nbeside the base image: ${megabytes(added)}`);
const times = [await start(final, say)];
for (let round = 2; round <= 5; round += 1) times.push(await start(final, () => {}));
say(`first 200 after ${times.join(', ')} ms`);
