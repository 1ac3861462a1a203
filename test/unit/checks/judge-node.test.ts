import { describe, expect, test } from 'vitest';
import { judgeSample } from '../../../src/checks/attachments.ts';
import { judgeCommitlog } from '../../../src/checks/commitlog.ts';
import { judgeImports } from '../../../src/checks/imports.ts';
import { judgeLeft } from '../../../src/checks/leftovers.ts';
import { judgeLogs } from '../../../src/checks/logs.ts';
import { judgeBucket, judgeFolders, judgeLinks } from '../../../src/checks/permissions.ts';
import { configFolders, judgeArchiving } from '../../../src/checks/point-in-time.ts';
import { judgeReach } from '../../../src/checks/repository.ts';
import { judgeMount } from '../../../src/run/data-path.ts';
import { CASSANDRA_LOG } from '../../../src/config/cassandra-log.ts';
import { judgeNeeds } from '../../../src/checks/space.ts';
import { pinNeed, repositoryNeed, snapshotNeed, stagingNeed } from '../../../src/checks/space-needs.ts';
import type { Space } from '../../../src/protocol/methods.ts';

const GIB = 1024 ** 3;

function spaceAt(path: string, o: Partial<Space> = {}): Space {
  return { path, exists: true, freeBytes: GIB, totalBytes: GIB, device: 1, readable: true, writable: true, ...o };
}

describe('commitlog', () => {
  const node = { name: 'n1', commitlogDir: '/log', commitlogEncrypted: false };
  const look = { pinFolder: '/skep-pins', segments: 2, bytes: 2 * 1024 ** 2, uid: 7 };
  const agent = { user: 'skep', uid: 8, protectedHardlinks: true };

  test('segments that can be read and linked pass', () => {
    expect(judgeCommitlog(node, look, agent)).toMatchObject({
      verdict: 'pass',
      seen: '2 segments, 2.0 MiB; skep reads them and links them into /skep-pins',
    });
  });

  test('links that the kernel refuses to others than the owner fail with who may', () => {
    const r = judgeCommitlog(node, { ...look, refused: 'EPERM' }, agent);
    expect(r.verdict).toBe('fail');
    expect(r.seen).toContain('fs.protected_hardlinks');
    expect(r.cure).toContain('the user with id 7');
  });

  test('a full disk is told as that, not as a lack of rights', () => {
    for (const refused of ['ENOSPC', 'EDQUOT']) {
      const r = judgeCommitlog(node, { ...look, refused }, agent);
      expect(r).toMatchObject({ verdict: 'fail', code: 'no-space', cure: 'free space at /skep-pins on n1' });
      expect(judgeLinks('n1', 'skep', '/files', { tried: 'a', refused })).toMatchObject([
        { verdict: 'fail', code: 'no-space', cure: 'free space at /files on n1' },
      ]);
    }
  });

  test('encryption, no right to read, another device and an empty folder fail', () => {
    expect(judgeCommitlog({ ...node, commitlogEncrypted: true }, look, agent).verdict).toBe('fail');
    expect(judgeCommitlog(node, { ...look, unreadable: 'EACCES' }, agent).seen).toContain('EACCES');
    expect(judgeCommitlog(node, { ...look, refused: 'EXDEV' }, agent).seen).toContain('EXDEV');
    expect(judgeCommitlog(node, { ...look, segments: 0 }, agent).verdict).toBe('fail');
  });
});

describe('permissions', () => {
  test('a folder that cannot be read fails, one that cannot be written is a warning', () => {
    const of = (o: Partial<Space>) => judgeFolders('n1', { user: 'skep', space: [spaceAt('/d', o)] }, 'data folder')[0];
    expect(of({})?.verdict).toBe('pass');
    expect(of({ readable: false, writable: false })).toMatchObject({ verdict: 'fail', node: 'n1' });
    expect(of({ writable: false })?.verdict).toBe('warn');
    expect(of({ exists: false })?.verdict).toBe('fail');
  });

  test('a bucket of attachments that keeps no versions, or may only be read, is a warning', () => {
    const of = (look: Parameters<typeof judgeBucket>[2]) => judgeBucket('n1', 's3://b', look).map((r) => r.verdict);
    expect(of({ versioned: true })).toEqual(['pass']);
    expect(of({ versioned: false })).toEqual(['pass', 'warn']);
    expect(of({ versioned: true, refused: 'the storage refuses to write k' })).toEqual(['warn']);
  });

  test('attachments that cannot be linked are a warning', () => {
    expect(judgeLinks('n1', 'skep', '/files', { tried: 'a', refused: 'EPERM' })[0]?.verdict).toBe('warn');
    expect(judgeLinks('n1', 'skep', '/files', {})).toEqual([]);
  });
});

describe('repository', () => {
  const of = (folder: Partial<Space>, marker: Partial<Space>, path: 'auto' | 'direct' = 'direct') => {
    const spaces = { folder: spaceAt('/r', folder), marker: spaceAt('/r/skep.json', marker) };
    return judgeReach('n2', judgeMount({ node: 'n2', user: 'skep', ...spaces }), path)[0];
  };

  test('a node on which the storage is not mounted sends through this machine, unless that is not wanted', () => {
    expect(of({}, {})).toBeUndefined();
    expect(of({ exists: false }, { exists: false })).toMatchObject({ verdict: 'fail', code: 'repository-missing' });
    expect(of({}, { exists: false })?.seen).toBe('/r is there, but the repository is not in it');
    expect(of({ exists: false }, { exists: false }, 'auto')).toMatchObject({
      verdict: 'warn',
      seen: '/r is not there: its data go through this machine',
    });
  });

  test('one that skep may not write fails', () => {
    for (const path of ['auto', 'direct'] as const) {
      expect(of({ writable: false }, {}, path)).toMatchObject({ verdict: 'fail', seen: 'skep may not write /r' });
    }
  });
});

describe('space', () => {
  const need = (what: string, bytes: number, o: Partial<Space> = {}) => ({ what, bytes, space: spaceAt('/d', o) });

  test('needs on one device are added up; below them it fails, near them it warns', () => {
    expect(judgeNeeds([need('pins', GIB / 4), need('snapshots', GIB / 8)], 'n1')[0]?.verdict).toBe('pass');
    expect(judgeNeeds([need('pins', GIB / 4), need('snapshots', GIB / 2)], 'n1')[0]?.verdict).toBe('warn');
    expect(judgeNeeds([need('pins', GIB / 2), need('snapshots', GIB)], 'n1')).toMatchObject([
      {
        verdict: 'fail',
        code: 'no-space',
        node: 'n1',
        seen: '1.0 GiB free at /d, wanted 512.0 MiB for pins, 1.0 GiB for snapshots',
      },
    ]);
  });

  test('devices are judged on their own', () => {
    const results = judgeNeeds([need('pins', 2 * GIB), need('snapshots', 1, { device: 2 })]);
    expect(results.map((r) => r.verdict)).toEqual(['fail', 'pass']);
  });

  test('needs grow with the data, and a first backup takes all of it', () => {
    for (const f of [snapshotNeed, pinNeed, stagingNeed, (n: number) => repositoryNeed(n, false)]) {
      expect(f(40 * GIB)).toBeGreaterThan(f(4 * GIB));
    }
    expect(repositoryNeed(GIB, true)).toBeGreaterThanOrEqual(GIB);
    expect(repositoryNeed(GIB, false)).toBeLessThan(GIB);
  });
});

describe('attachments', () => {
  test('damaged ones are a failure that names them, at most twenty of them', () => {
    expect(judgeSample('n1', '/f', { looked: 7, mismatched: [] }, []).verdict).toBe('pass');
    const mismatched = Array.from({ length: 23 }, (_, i) => `attachment/${i}`);
    const r = judgeSample('n1', '/f', { looked: 30, mismatched }, []);
    expect(r.verdict).toBe('fail');
    expect(r.seen).toMatch(/^23 of 30 .*attachment\/19, and 3 more$/);
    expect(r.cure).toContain('/f/attachment/0');
  });

  test('a damaged one that the configuration accepts is told, and fails nothing; another does', () => {
    const sample = { looked: 3, mismatched: ['attachment/a'] };
    expect(judgeSample('n1', '/f', sample, ['attachment/a'])).toMatchObject({
      verdict: 'pass',
      seen: expect.stringContaining('1 damaged one that skep.yaml accepts'),
    });
    expect(judgeSample('n1', '/f', sample, ['attachment/b']).verdict).toBe('fail');
  });
});

describe('logs', () => {
  test('errors are a warning with the last of them, and so is a log that cannot be read', () => {
    const lines = [
      { file: '/l', line: 'ERROR first' },
      { file: '/l', line: 'ERROR last' },
    ];
    expect(judgeLogs('cassandra', 'n1', ['/l'], { lines: [], unreadable: [], cutShort: [] })[0]?.verdict).toBe('pass');
    expect(
      judgeLogs('cassandra', 'n1', ['/l'], { lines, unreadable: ['/m'], cutShort: [] }).map((r) => [r.verdict, r.seen]),
    ).toEqual([
      ['warn', 'cannot read /m of cassandra'],
      ['warn', '2 errors in the log of cassandra, the last: ERROR last'],
    ]);
  });
});

describe('imports', () => {
  const judge = (files: string[], why?: string) =>
    judgeImports('n1', 'skep', files, why === undefined ? [] : files.map((file) => ({ file, why })))[0];

  test('a log of Cassandra that skep reads passes', () => {
    expect(judge(['/l'])).toEqual({ verdict: 'pass', seen: 'skep reads /l', node: 'n1' });
  });

  test('where none is named and none is where it usually is, imports are not seen: a warning', () => {
    for (const found of [judge([CASSANDRA_LOG], 'ENOENT'), judgeImports('n1', 'skep', [], [])[0]]) {
      expect(found).toMatchObject({ verdict: 'warn', cure: expect.stringContaining('`cassandra.service.logs`') });
    }
  });

  test.each([
    [CASSANDRA_LOG, 'EACCES'],
    ['/l', 'ENOENT'],
  ])('%s that cannot be read (%s) fails with who must be able to', (file, why) => {
    expect(judge([file], why)).toMatchObject({
      verdict: 'fail',
      code: 'file-unreadable',
      cure: expect.stringContaining(`on n1: let skep read ${file}`),
    });
  });
});

describe('leftovers', () => {
  const pin = (run: string, idleMs: number) => ({ folder: '/skep-pins', run, idleMs });

  test('snapshots and pins that no living run uses are warnings with the command that removes them', () => {
    const results = judgeLeft([{ node: 'n1', tags: ['skep-r1-1'], pins: [pin('r1', 3_600_000)] }], 'thehive');
    expect(results).toMatchObject([
      { verdict: 'warn', cure: 'on n1: nodetool clearsnapshot -t skep-r1-1 -- thehive' },
      { verdict: 'warn', seen: 'pins /skep-pins/r1 are left, not touched for 1 hour' },
    ]);
  });

  test('what a living run uses on any node passes', () => {
    const left = [
      { node: 'n1', tags: ['skep-r1-1'], pins: [pin('r1', 1000)] },
      { node: 'n2', tags: ['skep-r1-2'], pins: [] },
    ];
    expect(judgeLeft(left, 'thehive')).toMatchObject([{ verdict: 'pass', seen: expect.stringContaining('r1') }]);
    expect(judgeLeft([{ node: 'n1', tags: [], pins: [] }], 'thehive')[0]?.verdict).toBe('pass');
  });
});

describe('point-in-time', () => {
  const file = '/conf/commitlog_archiving.properties';
  const judge = (properties: Record<string, string>) => judgeArchiving('n1', { file, properties }, ['/conf']);

  test('a time that was left behind fails, an empty one passes', () => {
    expect(judge({ restore_point_in_time: '2026:11:22 23:01:43' })).toMatchObject({
      verdict: 'fail',
      node: 'n1',
      seen: expect.stringContaining('2026:11:22 23:01:43'),
    });
    expect(judge({ restore_point_in_time: '' }).verdict).toBe('pass');
    expect(judgeArchiving('n1', { properties: {} }, ['/conf']).verdict).toBe('pass');
  });

  test('folders that are replayed at every start, and a configuration that cannot be found, are warnings', () => {
    expect(judge({ restore_directories: '/old', restore_command: 'cp %from %to' }).verdict).toBe('warn');
    expect(judgeArchiving('n1', { properties: {} }, []).verdict).toBe('warn');
  });

  test('the folders are those of the class path, in its order, then the one of cassandra.yaml', () => {
    const properties = new Map([
      ['java.class.path', '/etc/cassandra/:/usr/share/a.jar:/usr/share/lib/*:/opt/x'],
      ['cassandra.config', 'file:///srv/c%20onf/cassandra.yaml'],
      ['CASSANDRA_CONF', '/etc/cassandra'],
    ]);
    expect(configFolders(properties)).toEqual(['/etc/cassandra', '/opt/x', '/srv/c onf']);
  });
});
