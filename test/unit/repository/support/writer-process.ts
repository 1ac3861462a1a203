/** A process of its own that stores the files it is told: `node writer-process.ts REPOSITORY RUN WRITER FILE…`. */
import { openRepository } from '../../../../src/repository/index.ts';

const [location, run, name, ...files] = process.argv.slice(2) as [string, string, string, ...string[]];
const repo = await openRepository(location);
const writer = repo.objectWriter({ run, writer: name });
for (const file of files) await writer.putFile(file);
process.stdout.write('staged\n');
// The parent says when to go on, or kills this process here.
await new Promise((resolve) => process.stdin.once('data', resolve));
await writer.close();
process.stdout.write(`${JSON.stringify(writer.totals)}\n`);
process.stdin.destroy();
