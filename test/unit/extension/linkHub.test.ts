import { describe, expect, test } from 'vitest';
import { LinkHub, type LinkPort } from '#extension/panels/linkHub.js';
import { isLinkedSelection, MAX_LINKED_FEATURES, type LinkedSelection } from '#protocol/link.js';
import { LinkBus, LinkedLights } from '#webviews/ui/link.js';

const light = (source: string, features: number[], sae = 'sha-a'): LinkedSelection => ({
  source,
  kind: 'light',
  sets: features.length ? [{ sae, features }] : [],
  label: `${features.length} features`,
});
const pick = (source: string): LinkedSelection => ({
  source,
  kind: 'pick',
  sets: [{ sae: 'sha-a', features: [3] }],
  label: 'A #3',
});

function joined(hub: LinkHub, folder: string): { port: LinkPort; heard: LinkedSelection[] } {
  const heard: LinkedSelection[] = [];
  return { port: hub.join({ folder, post: (s) => heard.push(s) }), heard };
}

describe('link hub', () => {
  test('carries a selection to every other endpoint of the folder, and to no other folder', () => {
    const hub = new LinkHub();
    const [map, graph, stranger] = [joined(hub, '/a'), joined(hub, '/a'), joined(hub, '/b')];
    map.port.send(pick('m'));
    expect(graph.heard).toEqual([pick('m')]);
    expect(map.heard).toEqual([]);
    expect(stranger.heard).toEqual([]);
  });

  test('shows a view that opens later what is lit, and not what was picked or put out', () => {
    const hub = new LinkHub();
    const first = joined(hub, '/a');
    first.port.send(light('m', [1, 2]));
    first.port.send(light('n', [5]));
    first.port.send(light('n', []));
    first.port.send(pick('m'));
    const late = joined(hub, '/a');
    late.port.replay();
    expect(late.heard).toEqual([light('m', [1, 2])]);
  });

  test('puts out what a closing endpoint had lit', () => {
    const hub = new LinkHub();
    const [map, graph] = [joined(hub, '/a'), joined(hub, '/a')];
    map.port.send(light('m', [1]));
    map.port.dispose();
    expect(graph.heard.at(-1)).toEqual({ source: 'm', kind: 'light', sets: [], label: '' });
    map.port.dispose();
    expect(graph.heard).toHaveLength(2);
  });

  test('says what is lit and put out in a folder, also by an endpoint that closes, and keeps it for a kernel that comes later', () => {
    const told: Array<[string, LinkedSelection]> = [];
    const hub = new LinkHub((folder, selection) => told.push([folder, selection]));
    const [map, graph] = [joined(hub, '/a'), joined(hub, '/a')];
    map.port.send(light('m', [1]));
    graph.port.send(light('g', [2]));
    graph.port.send(pick('g'));
    map.port.send(light('m', [3]));
    expect(hub.lit('/a')).toEqual([light('g', [2]), light('m', [3])]);
    expect(hub.lit('/b')).toEqual([]);
    map.port.dispose();
    expect(hub.lit('/a')).toEqual([light('g', [2])]);
    expect(told).toEqual([light('m', [1]), light('g', [2]), light('m', [3]), { source: 'm', kind: 'light', sets: [], label: '' }].map((each) => ['/a', each])); // prettier-ignore
  });

  test('refuses what is no selection, with the bound in the message', () => {
    const { port } = joined(new LinkHub(), '/a');
    expect(() => port.send({ kind: 'light' })).toThrow(String(MAX_LINKED_FEATURES));
    expect(() => port.send(light('m', new Array<number>(MAX_LINKED_FEATURES + 1).fill(1)))).toThrow(RangeError);
    expect(() => port.send(light('m', new Array<number>(MAX_LINKED_FEATURES).fill(1)))).not.toThrow();
  });
});

describe('selections from outside', () => {
  test.each([
    null,
    'light',
    { ...light('m', [1]), source: '' },
    { ...light('m', [1]), kind: 'hover' },
    { ...light('m', [1]), label: 'x'.repeat(3000) },
    { ...light('m', [1]), sets: {} },
    light('m', [-1]),
    light('m', [0.5]),
    light('m', [NaN]),
    { ...light('m', [1]), sets: [{ sae: 7, features: [1] }] },
    { ...light('m', [1]), sets: new Array(33).fill({ sae: 'a', features: [1] }) },
  ])('%j is none', (value) => {
    expect(isLinkedSelection(value)).toBe(false);
  });
});

describe('link bus of a page', () => {
  test('views hear each other, the host hears all, and the host’s messages are not sent back', () => {
    const [forwarded, heard]: LinkedSelection[][] = [[], []];
    const bus = new LinkBus((s) => forwarded.push(s));
    const stop = bus.onSelection((s) => heard.push(s));
    bus.send(pick('m'));
    expect(bus.receive({ type: 'link', selection: light('g', [4]) })).toBe(true);
    expect(bus.receive({ type: 'link', selection: { kind: 'light' } })).toBe(true);
    expect(bus.receive({ type: 'reply' })).toBe(false);
    expect(heard).toEqual([pick('m'), light('g', [4])]);
    expect(forwarded).toEqual([pick('m')]);
    stop();
    bus.send(pick('m'));
    expect(heard).toHaveLength(2);
  });

  test('a view that appears later is told what is lit', () => {
    const bus = new LinkBus();
    bus.send(light('m', [1]));
    const heard: LinkedSelection[] = [];
    bus.onSelection((s) => heard.push(s));
    expect(heard).toEqual([light('m', [1])]);
  });

  test('lights of several views add up per SAE', () => {
    const lights = new LinkedLights();
    lights.take(light('m', [1, 2]));
    lights.take(light('g', [2, 9]));
    lights.take(light('h', [7], 'sha-b'));
    expect([...(lights.of('sha-a') ?? [])].sort()).toEqual([1, 2, 9]);
    expect([...(lights.of('sha-b') ?? [])]).toEqual([7]);
    expect(lights.of('sha-c')).toBeNull();
    expect(lights.of(undefined)).toBeNull();
    lights.take(light('h', []));
    expect(lights.of('sha-b')).toBeNull();
    expect(lights.take(light('h', []))).toBe(false);
  });
});
