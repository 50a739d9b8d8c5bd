#!/usr/bin/env node
// The launcher for systems without a POSIX shell (Windows): finds the Bun that npm installed and runs the gateway in it.
// Elsewhere bin/tollgate does the same without a second process.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function findBun() {
  for (const folder of ['node_modules/@oven', '../@oven', '../../@oven']) {
    const path = join(root, folder);
    if (!existsSync(path)) continue;
    for (const name of readdirSync(path)) {
      for (const file of ['bun.exe', 'bun']) {
        const candidate = join(path, name, 'bin', file);
        if (existsSync(candidate)) return candidate;
      }
    }
  }
  return null;
}

const bun = findBun();
if (bun === null) {
  console.error(
    `tollgate: its engine is not installed. Run 'npm ci --ignore-scripts' in ${root} (without --omit=optional).`,
  );
  process.exit(127);
}
const flags = ['--no-env-file', `--config=${join(root, 'bin', 'bunfig.toml')}`];
const child = spawn(bun, [...flags, join(root, 'src', 'main.ts'), ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
