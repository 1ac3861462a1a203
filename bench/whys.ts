/** For each row whose bar may be missed: why, and what the limit is. Told in docs/benchmarks.md where it is missed. */
export const WHYS: Record<string, string> = {
  full_vs_restic:
    'The data do not shrink, so whoever keeps them must write 2 GB durably: `cp` and `sync` of the same files alone take 0.21 to 0.28 of the time of restic on this disk, and skep is within 1.0 to 1.2 of that (`full_vs_cp`). A profile of a backup: its two threads hash (SHA-256, 0.65 s of CPU for a GB) 34 %, write 16 %, read 8 %, wait for the disk 40 %.',
  rerun_vs_restic:
    'A quarter of a second, at the bar when the machine is quiet (0.102 and 0.103 in other runs): the start of Node with one file of all modules takes 0.1 s, the collector 0.03 s, the lease, listings, manifest and their syncs most of the rest (a sync of a group is a process, `sync -f`, since Node has no syncfs; syncing files one by one instead gained nothing). An agent and a controller that run already would not pay for the start.',
  full_vs_medusa:
    'Two starts of nodetool (a snapshot and its clearing; `ours_nodetool_s`) are a third of our time, and writing 2 GB durably is most of the rest: both together, with `cp` in the place of skep, are 0.28 of the time of medusa.',
  rerun_vs_medusa:
    'Two starts of nodetool (`ours_nodetool_s`), which medusa needs too, are two thirds of our time and 0.4 of that of medusa: without them the ratio is that of the rest, 0.5 s against 1.7 s.',
  sealed_vs_raw:
    'Each byte is hashed twice (the plain content for its name, the stored one so that nodes and copies can verify without a key) and sealed. On one core SHA-256 does 1,500 MB/s, ChaCha20-Poly1305 1,250 MB/s. Measured: 3.8 s of CPU for a GB sealed, 1.5 s raw, on two cores that are all busy; the threads spend 45 to 50 % in hashing, 25 to 28 % in the cipher, 20 % in writing. So 2.2 is the limit here as long as raw backups are as fast as the disk: they became twice as fast since this row met its bar (1.60). With more cores it is below.',
  s3_vs_raw_put:
    'Everything is read once more than by the peer, for its name, before it is sent: 1.0 s of CPU for a GB. The server and both clients share two cores.',
  restore_vs_cp:
    'Each content is hashed while it is laid out (SHA-256, 0.65 s of CPU for a GB), and the disk writes as fast as for `cp`: quiet runs are at 0.9 to 1.1, the rest is how much of the copy was still in the page cache.',
};
