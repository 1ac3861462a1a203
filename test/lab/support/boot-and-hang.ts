// Boots a lab without an owner and hangs; the test that started it kills it at a time of its choosing.
import { labUp } from '../../../lab/index.ts';

const [root = '', shift = ''] = process.argv.slice(2);
await labUp({ root, shift: Number(shift), onProgress: (line) => process.stdout.write(`${line}\n`) });
setInterval(() => {}, 1000);
