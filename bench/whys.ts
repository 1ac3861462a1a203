/** For each row whose bar may be missed: why, and what the limit is. Told in docs/benchmarks.md where it is missed. */
export const WHYS: Record<string, string> = {
  full_vs_restic:
    'The data do not shrink, so whoever keeps them must write 2 GB durably: `cp` and `sync` of the same files alone take 0.21 to 0.28 of the time of restic on this disk, and skep is within 1.0 to 1.2 of that (`full_vs_cp`). A profile of a backup: its two threads hash (SHA-256, 0.65 s of CPU for a GB) 34 %, write 16 %, read 8 %, wait for the disk 40 %.',
  rerun_vs_restic:
    'A third of a second, of which the start of Node with the modules that a backup needs is 0.15 s, the lease, the listings and the manifest with their syncs 0.1 s (each sync of a group is a process, `sync -f`, since Node has no syncfs; syncing files one by one instead saves 0.03 s), looking at the files 0.05 s. An agent and a controller that run already would not pay for the start.',
  full_vs_medusa:
    'Two starts of nodetool (a snapshot and its clearing; `ours_nodetool_s`) are a third of our time, and writing 2 GB durably is most of the rest: both together, with `cp` in the place of skep, are 0.28 of the time of medusa.',
  rerun_vs_medusa:
    'Two starts of nodetool (`ours_nodetool_s`), which medusa needs too, are two thirds of our time and 0.4 of that of medusa: without them the ratio is that of the rest, 0.5 s against 1.7 s.',
  sealed_vs_raw:
    'Each byte is hashed twice (the plain content for its name, the stored one so that nodes and copies can verify without a key) and sealed: SHA-256 1,500 MB/s, ChaCha20-Poly1305 1,250 MB/s, so 2.1 s of CPU for a GB on top of 1.2 s for raw ones. A profile of the threads: hashing 45 to 50 %, cipher 25 to 28 %, writing 20 %. With two cores the limit is 2.0 where raw backups are as fast as the disk; they have become twice as fast since the row first met its bar (1.60). More cores, or a disk below 600 MB/s, bring it below 1.6.',
  million_rerun_vs_find:
    "Per attachment `find` takes 3 µs, this 16 µs, on one core: a profile tells reading the names of the repository's folders, twice (when the backup begins and before it is published), 27 %, opening and parsing the pieces of the listing and of the inventory 25 %, the table of paths 13 %, walking the attachments 8 %. What could go: the second look at what the first has seen (its lease keeps prunes away), and reading the listing again instead of keeping its names on the node. Of what is written, 100 new attachments change 100 leaves in each of two trees, the pieces behind them until the cuts fall into step, and what is above them: 650 files of one or two blocks of 4 KiB.",
  s3_vs_raw_put:
    'Everything is read once more than by the peer, for its name, before it is sent: 1.0 s of CPU for a GB. The server and both clients share two cores.',
  restore_vs_cp:
    'Each content is hashed while it is laid out (SHA-256, 0.65 s of CPU for a GB), and the disk writes as fast as for `cp`: quiet runs are at 0.9 to 1.1, the rest is how much of the copy was still in the page cache.',
};
