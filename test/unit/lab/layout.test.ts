import { describe, expect, it } from 'vitest';
import { layoutOf } from '../../../lab/layout.ts';

describe('layoutOf', () => {
  it('gives each node its own loopback address and JMX port', () => {
    const layout = layoutOf({ root: '/labs/a' });
    expect(layout.nodes.map((n) => n.address)).toEqual(['127.0.10.1', '127.0.10.2', '127.0.10.3']);
    expect(layout.nodes.map((n) => n.jmxPort)).toEqual([7199, 7200, 7201]);
    expect(layout.nodes.map((n) => n.root)).toEqual(['/labs/a/n1', '/labs/a/n2', '/labs/a/n3']);
  });

  it('is one machine with the usual loopback address when it has one node', () => {
    const layout = layoutOf({ root: '/labs/a', shift: 2, nodes: 1 });
    expect(layout.nodes.map((n) => [n.name, n.address, n.jmxPort])).toEqual([['n1', '127.0.0.1', 7219]]);
    expect(layout.ports.cql).toBe(9062);
  });

  it('shares neither an address nor a port on 127.0.0.1 with a lab of another shift', () => {
    const one = layoutOf({ root: '/labs/a', shift: 0 });
    const two = layoutOf({ root: '/labs/b', shift: 1 });
    const taken = new Set(one.nodes.flatMap((n) => [n.address, n.jmxPort]));
    expect(two.nodes.flatMap((n) => [n.address, n.jmxPort]).filter((x) => taken.has(x))).toEqual([]);
    expect(two.ports.cql).toBe(one.ports.cql + 10);
  });

  it('keeps every address and port in range for the greatest shift', () => {
    const { nodes, ports } = layoutOf({ root: '/labs/a', shift: 99 });
    expect(nodes[2]?.address).toBe('127.0.109.3');
    expect(Math.max(...Object.values(ports))).toBeLessThan(65_536);
  });

  it('is below SKEP_LAB_ROOT, unless its folder is given', () => {
    const env = { SKEP_LAB_ROOT: '/labs/from-env' };
    expect(layoutOf({}, env).root).toBe('/labs/from-env/lab');
    expect(layoutOf({ root: '/labs/given' }, env).root).toBe('/labs/given');
    expect(layoutOf({ name: 'other' }, {}).root).toMatch(/skep-lab\/other$/);
  });

  it('needs no name for a lab of another shift: each has a folder of its own', () => {
    expect(layoutOf({ shift: 0 }, {})).toMatchObject({ name: 'lab', root: expect.stringMatching(/skep-lab\/lab$/) });
    expect(layoutOf({ shift: 3 }, {})).toMatchObject({
      name: 'lab-3',
      root: expect.stringMatching(/skep-lab\/lab-3$/),
    });
    expect(layoutOf({ shift: 3, name: 'mine' }, {}).name).toBe('mine');
  });

  it.each([{ name: '../up' }, { name: '' }, { shift: -1 }, { shift: 100 }, { shift: 1.5 }])('refuses %j', (place) => {
    expect(() => layoutOf(place, {})).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});
