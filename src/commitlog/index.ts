export { Classifier, type Classified, type CutRules, type Verdict } from './classify.ts';
export { checkContiguous, type Gap } from './contiguous.ts';
export {
  changedPartitions,
  filterSegments,
  inspectSegments,
  type ChangedPartition,
  type FilterInput,
  type FilterStats,
  type SegmentSource,
} from './filter.ts';
export {
  HEADER_MAX_BYTES,
  parseSegmentName,
  readHeader,
  segmentName,
  type Compression,
  type SegmentHeader,
  type SegmentVersion,
} from './header.ts';
export { decodeMutation, type Mutation, type PartitionUpdate, type TableLookup } from './mutation.ts';
export { foreignTableIds, narrowSchema, parseTableSchemas, SchemaRows, type TableSchema } from './schema.ts';
export { readSegment, type SegmentEntry, type Tail } from './segment.ts';
export { TableIndex } from './table-index.ts';
export { ALL_PARTS, type TimestampParts } from './timestamps.ts';
export { parseTruncation, type Truncation } from './truncation.ts';
export { rewriteId, SegmentWriter, type NewSegment, type SegmentOutput } from './writer.ts';
