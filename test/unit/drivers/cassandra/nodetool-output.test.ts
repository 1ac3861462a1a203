import { describe, expect, test } from 'vitest';
import { RepairOutput } from '../../../../src/drivers/cassandra/repair-output.ts';
import { parseStatus } from '../../../../src/drivers/cassandra/status.ts';

describe('nodetool status', () => {
  test('is read with tokens, without them, with several datacenters and with ports', () => {
    const text = `Datacenter: dc1
===============
Status=Up/Down
|/ State=Normal/Leaving/Joining/Moving
--  Address          Load        Tokens  Owns (effective)  Host ID                               Rack
UN  127.0.10.3       83.49 KiB   16      100.0%            e88bb74f-5b4d-4520-952d-3baaca796f9d  rack3
DN  127.0.10.1:7000  ?           16      ?                 26bb2246-1f0c-4fb8-93d2-5875c6d1fdda  rack1

Datacenter: dc2
===============
--  Address     Load       Owns    Host ID                               Token                 Rack
UJ  127.0.10.2  83.33 KiB  100.0%  7a05614d-ee6b-4f91-bc2c-bcd06fc7e5b9  -9223372036854775808  rack2
`;
    expect(parseStatus(text).map((l) => [l.state, l.words, l.address, l.hostId.slice(0, 4), l.datacenter])).toEqual([
      ['UN', 'up, normal', '127.0.10.3', 'e88b', 'dc1'],
      ['DN', 'down, normal', '127.0.10.1', '26bb', 'dc1'],
      ['UJ', 'up, joining', '127.0.10.2', '7a05', 'dc2'],
    ]);
  });

  test('of a node with IPv6 keeps the whole address', () => {
    const line = 'UN  fe80:0:0:0:0:0:0:1  1 KiB  16  1%  7a05614d-ee6b-4f91-bc2c-bcd06fc7e5b9  rack2';
    expect(parseStatus(line)[0]?.address).toBe('fe80:0:0:0:0:0:0:1');
    expect(parseStatus(line.replace('fe80:0:0:0:0:0:0:1', '[fe80:0:0:0:0:0:0:1]:7000'))[0]?.address).toBe(
      'fe80:0:0:0:0:0:0:1',
    );
  });
});

describe('nodetool repair', () => {
  // As 4.1.10 prints it, with fewer ranges.
  const lines = [
    '[2026-11-23 01:33:32,637] Starting repair command #1 (e4ce4400-e6dd-11f1-9947-5dedffed4bcd), repairing keyspace thehive with repair options (parallelism: parallel, primary range: true, incremental: false, job threads: 1, ColumnFamilies: [], dataCenters: [], hosts: [], previewKind: NONE, # of ranges: 3, pull repair: false)',
    '[2026-11-23 01:33:33,700] Repair session e4e96d20-e6dd-11f1-9947-5dedffed4bcd for range [(-59,-55], (90,-90]] finished (progress: 57%)',
    '[2026-11-23 01:33:33,710] Repair session e4e96d20-e6dd-11f1-9947-5dedffed4bce for range [(5,6]] failed with error boom (progress: 100%)',
    '[2026-11-23 01:33:33,726] Repair completed successfully',
  ];

  test('tells its progress in ranges', () => {
    const output = new RepairOutput(2);
    expect(lines.map((l) => [output.take(l), output.done, output.ranges])).toEqual([
      [true, 0, 3],
      [true, 2, 3],
      [true, 3, 3],
      [false, 3, 3],
    ]);
    expect(output.last).toEqual(lines.slice(2));
  });
});
