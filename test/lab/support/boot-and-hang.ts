// `boot-and-hang.ts ROOT SHIFT [owned]`: boots a lab and hangs; the test that started it kills it at a time of its choosing.
import { labUp } from '../../../lab/index.ts';

const [root = '', shift = '', owned] = process.argv.slice(2);
await labUp({
  root,
  shift: Number(shift),
  owner: owned === undefined ? undefined : process.pid,
  onProgress: (line) => process.stdout.write(`${line}\n`),
});
setInterval(() => {}, 1000);
