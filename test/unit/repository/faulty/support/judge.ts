/** What must be true of a world, whatever was done to it. */
import { needed } from './needed.ts';
import { differences } from './steps.ts';
import { openAsItIs, type World } from './world.ts';

/** Every backup that was said to be COMPLETE is, and every one that is listed as such is whole. */
export async function judgeBackups(world: World, at: 0 | 1): Promise<string[]> {
  const complaints: string[] = [];
  const repo = await openAsItIs(world, at);
  const { backups } = world.places[at];
  // Not `list`: a verify whose reads were falsified has noted what is whole.
  const listed = await repo.manifests();
  const complete = listed.filter(({ state }) => state === 'complete').map(({ id }) => id);
  for (const [id, { state }] of backups) {
    if (state === 'said' && !complete.includes(id)) complaints.push(`${id} was said to be COMPLETE and is not listed`);
  }
  const report = await repo.verify({ level: 'data', ids: complete });
  for (const { kind, key, message } of report.findings) {
    // The manifest was written and its copy was not: a prune writes it.
    if (kind !== 'manifest-copy-missing') complaints.push(`verify: ${kind} ${key}: ${message}`);
  }
  for (const id of complete) {
    const known = backups.get(id);
    if (known === undefined) complaints.push(`${id} is listed, and nobody made it`);
    else {
      complaints.push(...(await differences(repo, id, known.files).catch((e) => [`${id} cannot be laid out: ${e}`])));
    }
  }
  return complaints.map((complaint) => `repository ${at}: ${complaint}`);
}

/** Nothing is there that no backup needs. */
export async function judgeLeaks(world: World, at: 0 | 1): Promise<string[]> {
  const { backend } = world.places[at];
  const keep = await needed(world, at);
  const leaked: string[] = [];
  for (const prefix of ['objects/', 'listings/', 'incoming/', 'trash/', 'leases/', 'backups/']) {
    for await (const { key } of backend.list(prefix)) if (!keep(key)) leaked.push(key);
  }
  return leaked.map((key) => `repository ${at}: leaked ${key}`);
}
