export { labUp, type LabOptions } from './clusters/up.ts';
export { Lab, LabNode, openLab } from './clusters/lab.ts';
export { connectCql, withCql, type CqlClient } from './clusters/cql.ts';
export { connectElasticsearch, withElasticsearch } from './clusters/elastic.ts';
export type { LabRecord, NodeRecord } from './clusters/record.ts';
export { ensureJars, type JarSet } from './ground/jars.ts';
export { layoutOf, type CassandraVersion, type LabPlace } from './layout.ts';
export type { ElasticsearchVersion } from './ground/elasticsearch-home.ts';
export { LabService } from './services/service.ts';
