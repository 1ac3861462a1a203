import { tmpdir } from 'node:os';
import path from 'node:path';
import { SkepError } from '../src/errors.ts';
import type { ElasticsearchVersion } from './ground/elasticsearch-home.ts';

export type CassandraVersion = '4.1.10' | '5.0.6';

export const CASSANDRA_VERSIONS = ['4.1.10', '5.0.6'] as const satisfies CassandraVersion[];
export const ELASTICSEARCH_VERSIONS = ['8.19.0', '7.17.29'] as const satisfies ElasticsearchVersion[];
/** Three nodes with three copies of everything, or one machine with everything on it. */
export const LAB_SIZES = [3, 1] as const;
export type LabSize = (typeof LAB_SIZES)[number];
export const JANUSGRAPH_VERSION = '1.1.0';

/** Where labs are that were given no folder. */
export const DEFAULT_PARENT = path.join(tmpdir(), 'skep-lab');

/** What decides a lab's addresses, ports and folders. */
export interface LabPlace {
  /**
   * Names the lab's folder below `$SKEP_LAB_ROOT`, else below `skep-lab` among the temporary files. `lab`, or `lab-SHIFT`
   * where a shift is given, so that labs beside each other need no names.
   */
  name?: string | undefined;
  /** The lab's folder itself; made by `up`, removed by `down`. */
  root?: string | undefined;
  /** 0–99: moves addresses to 127.0.<10+shift>.1–3 and ports by 10 × shift, so that several labs can run. */
  shift?: number | undefined;
  /** Three when absent. One is a single machine, which skep needs no ssh for; its servers listen on 127.0.0.1. */
  nodes?: LabSize | undefined;
  /** Each node is a host with an address on a network of its own; `shift` then moves nothing. */
  hosts?: LabHosts | undefined;
}

/** What a lab with hosts is given. */
export interface LabHosts {
  /** skep's single executable, readable for every user: it is the controller, and is copied to the hosts. */
  executable: string;
}

export interface NodeLayout {
  name: string;
  /** 1, 2 or 3. */
  index: number;
  root: string;
  address: string;
  rack: string;
  jmxPort: number;
}

export interface LabLayout {
  name: string;
  root: string;
  shift: number;
  nodes: NodeLayout[];
  ports: { cql: number; storage: number; http: number; transport: number; gremlin: number; ssh: number };
  /** Password files and keys, mode 0600. */
  secrets: string;
  certificates: string;
  ssh: string;
  /** Accounts and sudoers of hosts. */
  hosts: string;
  /** One file for each running process. */
  run: string;
  /** Specifications of the services, read by the control scripts. */
  services: string;
  staging: string;
  files: string;
  record: string;
  config: string;
}

/** JMX of a single machine is over TLS, of others in plain: so both are tried. */
export function isJmxOverTls(layout: Pick<LabLayout, 'nodes'>): boolean {
  return layout.nodes.length === 1;
}

/** Addresses, ports and folders of a lab; pure. */
export function layoutOf(place: LabPlace, env: NodeJS.ProcessEnv = process.env): LabLayout {
  const shift = place.shift ?? 0;
  const name = place.name ?? (shift === 0 ? 'lab' : `lab-${shift}`);
  if (!/^[a-z0-9][a-z0-9-]{0,31}$/.test(name)) {
    throw new SkepError('usage', `not a name for a lab: ${name}`, {
      hint: 'Use lower-case letters, digits and dashes.',
    });
  }
  if (!Number.isInteger(shift) || shift < 0 || shift > 99) {
    throw new SkepError('usage', `not a shift for a lab: ${shift}`, { hint: 'Give a whole number from 0 to 99.' });
  }
  const root = path.resolve(place.root ?? path.join(env['SKEP_LAB_ROOT'] ?? DEFAULT_PARENT, name));
  const size = place.nodes ?? 3;
  const moved = (port: number): number => port + 10 * shift;
  const addressOf = (index: number): string => {
    if (place.hosts !== undefined) return `10.64.0.${index}`;
    return size === 1 ? '127.0.0.1' : `127.0.${10 + shift}.${index}`;
  };
  return {
    name,
    root,
    shift,
    nodes: Array.from({ length: size }, (_, i) => i + 1).map((index) => ({
      name: `n${index}`,
      index,
      root: path.join(root, `n${index}`),
      address: addressOf(index),
      rack: `rack${index}`,
      // JMX listens on 127.0.0.1 itself, so each node needs a port of its own
      jmxPort: moved(7198) + index,
    })),
    ports: {
      cql: moved(9042),
      storage: moved(7000),
      http: moved(9200),
      transport: moved(9300),
      gremlin: moved(8182),
      ssh: moved(2222),
    },
    secrets: path.join(root, 'secrets'),
    certificates: path.join(root, 'certificates'),
    ssh: path.join(root, 'ssh'),
    hosts: path.join(root, 'hosts'),
    run: path.join(root, 'run'),
    services: path.join(root, 'services'),
    staging: path.join(root, 'shared', 'es-staging'),
    files: path.join(root, 'shared', 'files'),
    record: path.join(root, 'lab.json'),
    config: path.join(root, 'skep.yaml'),
  };
}
