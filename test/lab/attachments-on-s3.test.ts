// TheHive with its attachments on S3, in a bucket that keeps versions; the repository is a folder.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Lab } from '../../lab/index.ts';
import { type AttachmentStore, openAttachments } from '../../lab/load/attachment-store.ts';
import { isProven } from '../../lab/proof/report.ts';
import { runSkep } from '../../lab/scenarios/skep-process.ts';
import { type Backup, STEADY_RATE, Trial } from '../../lab/scenarios/trial.ts';
import { type AttachmentBucket, bootBucket } from './support/bucket.ts';
import { configVariant } from './support/config-variant.ts';
import { sharedLab } from './support/labs.ts';
import { leftovers } from './support/leftovers.ts';

let lab: Lab;
let bucket: AttachmentBucket;
let trial: Trial;
let attachments: AttachmentStore;
let second: Backup;

beforeAll(async () => {
  lab = await sharedLab();
  bucket = await bootBucket(lab);
  const { changes, attachmentsS3 } = bucket;
  const config = await configVariant(lab, 'attachments-on-s3', changes);
  attachments = openAttachments({ attachmentsDir: '', attachmentsS3 });
  trial = new Trial(lab, { seed: 'attachments on s3', say: () => {}, config, attachmentsS3 });
  await trial.ensureRepository();
  await trial.startLoad(STEADY_RATE);
  await trial.awaitTransactions(60);
  await trial.backup();
  second = await trial.backup();
  await trial.awaitTransactions(20);
  await trial.stopLoad();
});

afterAll(async () => {
  await trial?.stopLoad();
  await bucket?.server.down();
});

test('a check has nothing to say against it', async () => {
  const run = await runSkep(['check'], { config: trial.config, state: trial.state });
  const { findings } = run.result as { findings: { id: string; verdict: string; seen: string }[] };
  expect(findings.filter((f) => f.verdict === 'fail')).toEqual([]);
  const rights = findings.filter((f) => f.id === 'permissions' && f.seen.includes(bucket.location));
  expect(rights).toEqual([expect.objectContaining({ verdict: 'pass' })]);
});

test('backups leave nothing behind, and the second one brings only attachments that are new', async () => {
  expect(await leftovers(lab)).toEqual([]);
  const shown = await runSkep(['show', second.id], { config: trial.config, state: trial.state });
  const { parts } = (shown.result as { backup: { parts: { store: string; bytes: number; newBytes: number }[] } })
    .backup;
  // Of the rest what is new depends on the load.
  const files = parts.find(({ store }) => store === 'files');
  expect(files?.newBytes).toBeLessThan(files?.bytes ?? 0);
});

test('after a total loss the cluster comes back at the instant of the backup, with its attachments', async () => {
  await lab.destroy();
  for (const name of await attachments.names()) await attachments.delete(name);
  await trial.restore(second.id);
  const proof = await trial.prove(second.T);
  expect(isProven(proof.report), Object.values(proof.findings).flat().slice(0, 10).join('\n')).toBe(true);
  expect(proof.report.acked_before_T).toBeGreaterThan(60);
  expect((await attachments.names()).length).toBeGreaterThan(0);
});

test('CONTROL: the proof goes red when an attachment is taken out of the bucket', async () => {
  const [name = ''] = await attachments.names();
  for (const any of await attachments.names()) await attachments.delete(any);
  expect(name).not.toBe('');
  const { report } = await trial.prove(second.T);
  expect(report.dangling).toBeGreaterThan(0);
});
