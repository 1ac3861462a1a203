// What a node's control scripts run: `main.ts ROOT SERVICE start|stop|status`. Exit codes as an init script's.
import { toSkepError } from '../../src/errors.ts';
import { serviceState, startService, stopService } from './control.ts';

const [root = '', service = '', action = ''] = process.argv.slice(2);

try {
  if (action === 'start') {
    await startService(root, service);
  } else if (action === 'stop') {
    await stopService(root, service);
  } else if (action === 'status') {
    const state = await serviceState(root, service);
    process.stdout.write(`${service} is ${state}\n`);
    process.exitCode = state === 'stopped' ? 3 : 0;
  } else {
    process.stderr.write('usage: start|stop|status\n');
    process.exitCode = 2;
  }
} catch (e) {
  process.stderr.write(`${service}: ${toSkepError(e).message}\n`);
  process.exitCode = 1;
}
