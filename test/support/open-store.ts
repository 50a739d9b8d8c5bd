/** Opens a store and closes it again, as an instance that starts: `bun open-store.ts DATABASE_URL DATA_FOLDER`. */
import { openStore } from '../../src/store/store.ts';
import { systemClock } from '../../src/transport/system-clock.ts';

const [, , url = '', dataDir = ''] = process.argv;
try {
  const store = await openStore({ clock: systemClock, postgres: url === '' ? null : { url }, dataDir });
  await store.read.config.count();
  await store.close();
  console.log('opened');
} catch (error) {
  console.log(`${error}`);
  process.exitCode = 1;
}
