/** One node in the output of `nodetool status`. */
export interface StatusLine {
  /** `UN`, `DN`, `UJ`, …: up or down, then normal, leaving, joining or moving. */
  state: string;
  words: string;
  address: string;
  hostId: string;
  datacenter: string;
}

const UP: Record<string, string> = { U: 'up', D: 'down', '?': 'unknown' };
const MODE: Record<string, string> = { N: 'normal', L: 'leaving', J: 'joining', M: 'moving', S: 'stopped' };

/**
 * The nodes in the output of `nodetool status`. Columns differ with the number of tokens and the keyspace, so only the
 * state, the address and the host id are read. Source: `Status` of Cassandra 4.1 and 5.0.
 */
export function parseStatus(text: string): StatusLine[] {
  const lines: StatusLine[] = [];
  let datacenter = '';
  for (const line of text.split('\n')) {
    datacenter = /^Datacenter:\s*(\S+)/.exec(line)?.[1] ?? datacenter;
    const m = /^([UD?])([NLJMS?])\s+(\S+)\s.*?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/.exec(line);
    if (!m) continue;
    const [, up = '?', mode = '?', address = '', hostId = ''] = m;
    lines.push({
      state: up + mode,
      words: `${UP[up]}, ${MODE[mode] ?? 'unknown'}`,
      address: withoutPort(address),
      hostId,
      datacenter,
    });
  }
  return lines;
}

/** `10.0.0.1:7000`, `[::1]:7000` and both without a port. */
function withoutPort(address: string): string {
  return /^\[(.*)\](?::\d+)?$/.exec(address)?.[1] ?? /^([^:]+):\d+$/.exec(address)?.[1] ?? address;
}
