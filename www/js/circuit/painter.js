// Paints edges on a canvas, a few milliseconds at a time: tens of thousands of curves never hold up a frame. A new picture replaces the old one when it is whole; until
// then the old one is shown, moved with the camera.

const SLICE_MS = 5;
const CHUNK = 120;
/** How much is painted beyond the frame on each side, as a share of it, so that panning does not run into white. */
const MARGIN = 0.35;

/**
 * @typedef {{ colour: string, width: number, alpha: number, dash: number[], edges: ArrayLike<number> }} Layer
 */

export class Painter {
  /** @param {HTMLElement} world @param {import('./camera.js').Camera} camera */
  constructor(world, camera) {
    this.camera = camera;
    this.front = document.createElement('canvas');
    this.back = document.createElement('canvas');
    this.front.setAttribute('aria-hidden', 'true');
    this.back.setAttribute('aria-hidden', 'true');
    this.back.hidden = true;
    world.append(this.front, this.back);
    this.frame = 0;
    this.job = null;
    /** Whether the picture shown is whole. */
    this.done = true;
  }

  /** Paints layers, the first at the bottom. @param {import('./curves.js').curves} drawing @param {Layer[]} layers @param {boolean} partly whether parts may be shown */
  paint(drawing, layers, partly = false) {
    cancelAnimationFrame(this.frame);
    const { width, height } = this.camera.bounds();
    const { x, y, scale } = this.camera;
    const dpr = Math.min(2, globalThis.devicePixelRatio || 1);
    const area = { left: (-x - width * MARGIN) / scale, top: (-y - height * MARGIN) / scale, width: (width * (1 + 2 * MARGIN)) / scale, height: (height * (1 + 2 * MARGIN)) / scale };
    const canvas = this.back;
    canvas.width = Math.max(1, Math.round(area.width * scale * dpr));
    canvas.height = Math.max(1, Math.round(area.height * scale * dpr));
    Object.assign(canvas.style, { left: `${area.left}px`, top: `${area.top}px`, width: `${area.width}px`, height: `${area.height}px` });
    const context = canvas.getContext('2d');
    context.setTransform(scale * dpr, 0, 0, scale * dpr, -area.left * scale * dpr, -area.top * scale * dpr);
    context.lineCap = 'butt';
    this.done = false;
    const job = strokes(context, drawing.points, layers, area);
    const shownEarly = partly;
    if (shownEarly) this.swap();
    const slice = () => {
      const until = performance.now() + SLICE_MS;
      do {
        if (job.next().done) {
          if (!shownEarly) this.swap();
          this.done = true;
          return;
        }
      } while (performance.now() < until);
      this.frame = requestAnimationFrame(slice);
    };
    slice();
  }

  swap() {
    [this.front, this.back] = [this.back, this.front];
    this.front.hidden = false;
    this.back.hidden = true;
  }

  clear() {
    cancelAnimationFrame(this.frame);
    this.front.hidden = true;
    this.done = true;
  }
}

function* strokes(context, points, layers, area) {
  const [left, top, right, bottom] = [area.left, area.top, area.left + area.width, area.top + area.height];
  for (const layer of layers) {
    context.strokeStyle = layer.colour;
    context.globalAlpha = layer.alpha;
    context.lineWidth = layer.width;
    context.setLineDash(layer.dash);
    let waiting = 0;
    context.beginPath();
    for (let at = 0; at < layer.edges.length; at += 1) {
      const p = layer.edges[at] * 8;
      const [y0, y3] = [points[p + 1], points[p + 7]];
      if (y0 < top || y3 > bottom) {
        // Edges run upwards; most outside the picture are seen at once.
        if ((y0 < top && y3 < top) || (y0 > bottom && y3 > bottom)) continue;
      }
      const [x0, x1, x2, x3] = [points[p], points[p + 2], points[p + 4], points[p + 6]];
      if ((x0 < left && x1 < left && x2 < left && x3 < left) || (x0 > right && x1 > right && x2 > right && x3 > right)) continue;
      context.moveTo(x0, y0);
      context.bezierCurveTo(x1, points[p + 3], x2, points[p + 5], x3, y3);
      if (++waiting >= CHUNK) {
        context.stroke();
        context.beginPath();
        waiting = 0;
        yield;
      }
    }
    context.stroke();
    yield;
  }
}
