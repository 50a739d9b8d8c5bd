import { VERSION } from '../core/version.ts';
import { helpText, readServeArguments } from './arguments.ts';
import { processIo } from './io.ts';

/**
 * Runs the command line; subcommands are loaded only when they are asked for, so that serving starts fast.
 *
 * @param argv words after the program's name
 */
export async function run(argv: readonly string[]): Promise<void> {
  const io = processIo;
  const [command, ...rest] = argv;
  switch (command) {
    case 'check': {
      const { check } = await import('./check.ts');
      process.exitCode = check(rest, io);
      return;
    }
    case 'explain': {
      const { explain } = await import('./explain.ts');
      process.exitCode = explain(rest, io);
      return;
    }
    case 'simulate': {
      const { simulate } = await import('./simulate.ts');
      process.exitCode = await simulate(rest, io);
      return;
    }
    case 'import': {
      const { importDatabase } = await import('./import.ts');
      process.exitCode = await importDatabase(rest, io);
      return;
    }
    case 'credentials': {
      const { credentials } = await import('./credentials.ts');
      process.exitCode = await credentials(rest, io);
      return;
    }
    case 'keys': {
      const { keys } = await import('./keys.ts');
      process.exitCode = await keys(rest, io);
      return;
    }
    case 'ledger': {
      const { ledger } = await import('./ledger.ts');
      process.exitCode = await ledger(rest, io);
      return;
    }
    case 'migrate': {
      const { migrate } = await import('./migrate.ts');
      process.exitCode = await migrate(rest, io);
      return;
    }
    case 'doctor': {
      const { doctor } = await import('./doctor.ts');
      process.exitCode = await doctor(rest, io);
      return;
    }
  }
  const args = readServeArguments(command === 'serve' ? rest : argv, io.env);
  if (typeof args === 'string') {
    io.writeError(`tollgate: ${args}\n`);
    process.exitCode = 2;
    return;
  }
  switch (args.kind) {
    case 'version':
      io.write(`tollgate ${VERSION}\n`);
      return;
    case 'help':
      io.write(helpText);
      return;
    case 'health':
    case 'test': {
      const { ask } = await import('./ask.ts');
      process.exitCode = await ask(args, io);
      return;
    }
    case 'serve': {
      const { serve } = await import('./serve.ts');
      // Idle connections and timers must not keep a gateway alive that has stopped.
      process.exit(await serve(args, io));
    }
  }
}
