import { SkepError } from '../../src/errors.ts';
import { runTool } from '../ground/run-tool.ts';
import { type LabPlace, layoutOf } from '../layout.ts';
import { LabService } from '../services/service.ts';
import { destroyData, resetData } from './empty.ts';
import { findRecord, type LabRecord, type NodeRecord } from './record.ts';
import { removeLab } from './remove.ts';

/** A node of a lab. */
export class LabNode {
  readonly name: string;
  readonly record: NodeRecord;
  readonly cassandra: LabService;
  readonly elasticsearch: LabService;
  /** Not to be had in a lab with one node. */
  readonly sshd: LabService;
  readonly #lab: LabRecord;

  constructor(lab: LabRecord, record: NodeRecord) {
    this.name = record.name;
    this.record = record;
    this.#lab = lab;
    this.cassandra = new LabService(lab.root, `${record.name}-cassandra`);
    this.elasticsearch = new LabService(lab.root, `${record.name}-elasticsearch`);
    this.sshd = new LabService(lab.root, `${record.name}-sshd`);
  }

  /** Runs nodetool on this node as an operator would; gives its stdout. */
  async nodetool(...args: string[]): Promise<string> {
    const { user, passwordFile } = this.#lab.jmx;
    return runTool([
      ...(this.record.enter ?? []),
      ...this.record.cassandra.nodetool,
      '-u',
      user,
      '-pwf',
      passwordFile,
      ...args,
    ]);
  }
}

/** A lab that is up. */
export class Lab {
  readonly record: LabRecord;
  readonly nodes: readonly LabNode[];
  /** The JanusGraph server, which stands for TheHive. */
  readonly janusgraph: LabService;

  constructor(record: LabRecord) {
    this.record = record;
    this.nodes = record.nodes.map((node) => new LabNode(record, node));
    this.janusgraph = new LabService(record.root, `${record.thehive.node}-thehive`);
  }

  get root(): string {
    return this.record.root;
  }

  get gremlinUrl(): string {
    return this.record.gremlinUrl;
  }

  /** The ready skep.yaml; its cluster has the lab's name. */
  get config(): string {
    return this.record.config;
  }

  node(name: string): LabNode {
    const found = this.nodes.find((n) => n.name === name);
    if (found === undefined)
      throw new SkepError('usage', `the lab has no node ${name}`, {
        hint: `Use ${this.nodes.map((n) => n.name).join(', ')}.`,
      });
    return found;
  }

  /** Every service of the lab. */
  services(): LabService[] {
    const sshd = this.record.ssh === undefined ? [] : this.nodes.map((n) => n.sshd);
    return [...this.nodes.flatMap((n) => [n.cassandra, n.elasticsearch]), ...sshd, this.janusgraph];
  }

  /** Total loss of the data; afterwards the stores are up and empty and JanusGraph is stopped. */
  async destroy(signal?: AbortSignal): Promise<void> {
    await destroyData(this, signal);
  }

  /** Starts what was stopped and makes the lab as empty as after boot, for the next test. */
  async reset(signal?: AbortSignal): Promise<void> {
    await resetData(this, signal);
  }

  /** Ends every process of the lab and removes its folder. */
  async down(): Promise<void> {
    await removeLab(this.root);
  }
}

/** Attaches to the lab that is up in a folder. */
export async function openLab(place: LabPlace | string = {}): Promise<Lab> {
  const root = typeof place === 'string' ? place : layoutOf(place).root;
  const record = await findRecord(root);
  if (record === undefined) {
    throw new SkepError('usage', `no lab is up in ${root}`, { hint: 'Run `skep lab up`.' });
  }
  return new Lab(record);
}
