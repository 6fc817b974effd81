/** Pointer, wheel and keys on one map's layer, turned into what the view understands. */
import { panBy, zoomAt, type Box, type Camera } from './camera.js';

export type Tool = 'pan' | 'box' | 'lasso' | 'turn';

export interface GestureTarget {
  camera(): Camera;
  box(): Box;
  tool(): Tool;
  /** What a drag with Shift does; default "box". */
  shiftDrag?: Tool;
  /** Whether plain arrows move the cursor among the points, and Shift+arrows pan; default the other way round. */
  arrowsMove?: boolean;
  setCamera(camera: Camera): void;
  /** A drag with the tool `turn`, in pixels. */
  turn?(dx: number, dy: number): void;
  /** Pointer over the map at layer coordinates, null when it left. */
  point(at: { x: number; y: number; clientX: number; clientY: number } | null): void;
  click(at: { x: number; y: number }): void;
  /** Polygon so far in layer coordinates; `done` at release. */
  outline(polygon: number[], done: boolean): void;
  key(action: KeyAction): void;
  /** Whether a wheel turn without Ctrl zooms; where not, the page scrolls. */
  wheelZooms(): boolean;
}

/** Moves of the keyboard's cursor among the points. */
export type CursorMove = { kind: 'move'; dx: number; dy: number } | { kind: 'nextHit'; step: 1 | -1 };
/** `across`: to the counterpart. */
export type KeyAction =
  | CursorMove
  | { kind: 'across' }
  | { kind: 'undo' }
  | { kind: 'pin' }
  | { kind: 'clear' }
  | { kind: 'reset' }
  | { kind: 'search' };

const PAN_STEP = 60;
const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

interface Pointer {
  x: number;
  y: number;
}

export function listenToGestures(layer: HTMLElement, target: GestureTarget): void {
  const pointers = new Map<number, Pointer>();
  let path: number[] = [];
  let mode: Tool | null = null;
  let travelled = 0;
  const at = (event: MouseEvent): Pointer => {
    const rect = layer.getBoundingClientRect();
    return { x: event.clientX - rect.left, y: event.clientY - rect.top };
  };

  layer.addEventListener('pointerdown', (event) => {
    if (event.button > 1) return;
    layer.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    [mode, travelled] = [pointers.size > 1 ? 'pan' : dragOf(event, target), 0];
    path = [at(event).x, at(event).y];
  });
  layer.addEventListener('pointermove', (event) => {
    const now = at(event);
    const before = pointers.get(event.pointerId);
    if (!before || mode === null) {
      target.point({ ...now, clientX: event.clientX, clientY: event.clientY });
      return;
    }
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    if (mode === 'pan') drag(target, pointers, event.pointerId, now);
    else if (mode === 'turn') target.turn?.(now.x - before.x, now.y - before.y);
    else if (mode === 'lasso') path.push(now.x, now.y);
    else path = rectangle(path[0], path[1], now.x, now.y);
    pointers.set(event.pointerId, now);
    if (travelled <= 4) return;
    if (mode === 'pan' || mode === 'turn') target.point(null);
    else target.outline(path, false);
  });
  const release = (event: PointerEvent, cancelled: boolean) => {
    if (!pointers.delete(event.pointerId)) return;
    if (pointers.size > 0) return;
    const ended = mode;
    mode = null;
    if (!cancelled && travelled <= 4) target.click(at(event));
    else if (ended === 'box' || ended === 'lasso') target.outline(cancelled ? [] : path, true);
  };
  layer.addEventListener('pointerup', (event) => release(event, false));
  layer.addEventListener('pointercancel', (event) => release(event, true));
  layer.addEventListener('pointerleave', () => {
    if (pointers.size === 0) target.point(null);
  });
  layer.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey && !event.metaKey && !target.wheelZooms()) return;
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
      // A pinch on a trackpad arrives as a wheel with Ctrl and small deltas.
      const delta = Math.max(-240, Math.min(240, event.deltaY * unit)) * (event.ctrlKey ? 4 : 1);
      const { x, y } = at(event);
      target.setCamera(zoomAt(target.camera(), target.box(), x, y, Math.exp(-delta * 0.0016)));
    },
    { passive: false },
  );
  layer.addEventListener('keydown', (event) => onKey(event, target));
}

/** What a drag does, by the keys that are held when it starts. */
function dragOf(event: PointerEvent, target: GestureTarget): Tool {
  if (event.shiftKey) return target.shiftDrag ?? 'box';
  return event.altKey ? 'lasso' : target.tool();
}

/** One pointer pans; two pinch: the map follows their middle and their distance. */
function drag(target: GestureTarget, pointers: Map<number, Pointer>, id: number, now: Pointer): void {
  const before = pointers.get(id) as Pointer;
  const other = [...pointers].find(([key]) => key !== id)?.[1];
  const share = other ? 0.5 : 1;
  let camera = panBy(target.camera(), target.box(), (now.x - before.x) * share, (now.y - before.y) * share);
  if (other) {
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(now.x - other.x, now.y - other.y);
    if (was > 0 && is > 0)
      camera = zoomAt(camera, target.box(), (now.x + other.x) / 2, (now.y + other.y) / 2, is / was);
  }
  target.setCamera(camera);
}

function rectangle(x0: number, y0: number, x1: number, y1: number): number[] {
  return [x0, y0, x1, y0, x1, y1, x0, y1];
}

function onKey(event: KeyboardEvent, target: GestureTarget): void {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key === 'z') {
    event.preventDefault();
    return target.key({ kind: 'undo' });
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { width, height } = target.box();
  const zoom = (factor: number) =>
    target.setCamera(zoomAt(target.camera(), target.box(), width / 2, height / 2, factor));
  const arrow = ARROWS[event.key];
  if (arrow && event.shiftKey !== (target.arrowsMove ?? false))
    target.key({ kind: 'move', dx: arrow[0], dy: arrow[1] });
  else if (arrow) target.setCamera(panBy(target.camera(), target.box(), -arrow[0] * PAN_STEP, arrow[1] * PAN_STEP));
  else if (event.key === '+' || event.key === '=') zoom(1.3);
  else if (event.key === '-' || event.key === '_') zoom(1 / 1.3);
  else if (event.key === '0' || event.key === 'Home') target.key({ kind: 'reset' });
  else if (event.key === 'Enter' || event.key === ' ') target.key({ kind: 'pin' });
  else if (event.key === 'Escape') target.key({ kind: 'clear' });
  else if (event.key === 'n') target.key({ kind: 'nextHit', step: 1 });
  else if (event.key === 'N') target.key({ kind: 'nextHit', step: -1 });
  else if (event.key === 'c') target.key({ kind: 'across' });
  else if (event.key === '/') target.key({ kind: 'search' });
  else return;
  event.preventDefault();
}
