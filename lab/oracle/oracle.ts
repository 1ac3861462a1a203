import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { compileJava } from '../ground/java.ts';
import { runTool } from '../ground/run-tool.ts';
import { cassandraModuleOptions, commonJavaOptions } from '../nodes/java-options.ts';
import type { SingleNode } from './single-node.ts';

/** How Cassandra can write a segment: as it is, or through one of its compressors. */
export const WAYS = ['none', 'LZ4Compressor', 'SnappyCompressor', 'DeflateCompressor', 'ZstdCompressor'] as const;
export type Way = (typeof WAYS)[number];

/** Segments that Cassandra wrote, and what Cassandra reads in them, a line a mutation. */
export interface Answer {
  folder: string;
  lines: string[];
}

/**
 * Lets Cassandra read `segments` with the schema that is on the disk of `node`, which must not run, and write what it
 * read again in every way, a sync after each `section` mutations.
 */
export async function askCassandra(
  node: SingleNode,
  segments: string,
  answers: string,
  section: number,
): Promise<Record<'source' | Way, Answer>> {
  const classes = path.join(node.root, 'oracle');
  await compileJava(['../oracle'], node.classPath, classes);
  const jamm = (await readdir(node.jars)).find((n) => n.startsWith('jamm-')) ?? '';
  const argv = [
    'java',
    ...commonJavaOptions(384, path.join(node.root, 'tmp')),
    ...cassandraModuleOptions(),
    `-javaagent:${path.join(node.jars, jamm)}`,
    `-Dcassandra.config=file://${path.join(node.conf, 'cassandra.yaml')}`,
    `-Dcassandra.storagedir=${node.root}`,
    `-Dlogback.configurationFile=${path.join(node.conf, 'logback.xml')}`,
    '-cp',
    `${classes}:${node.classPath}`,
    'CommitLogOracle',
    segments,
    answers,
    String(section),
    ...WAYS,
  ];
  await runTool(argv);
  const found = { source: { folder: segments, lines: await linesOf(path.join(answers, 'source.lines')) } } as Record<
    'source' | Way,
    Answer
  >;
  for (const way of WAYS) {
    found[way] = { folder: path.join(answers, way), lines: await linesOf(path.join(answers, `${way}.lines`)) };
  }
  return found;
}

async function linesOf(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8')).split('\n').filter((l) => l !== '');
}
