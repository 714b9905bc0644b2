// A picture of text on a canvas: its patches in rows that fit the page, a grid, and what is hidden, chosen or beyond the end.

/** Of attention, on paper that is white in both themes. */
const HEAT = '#0a78c2';

/** Colours by name; from the page's own tokens, so that both themes have theirs. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { accent: of('--accent'), soft: of('--soft'), hidden: of('--c1') || of('--accent') };
}

export class Picture {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.source = document.createElement('canvas');
    this.shape = null;
  }

  /** Grey pixels. @param {Uint8Array} pixels @param {{ width: number, height: number, patch: [number, number], attended: number, end: number }} shape */
  take(pixels, shape) {
    this.shape = shape;
    this.source.width = shape.width;
    this.source.height = shape.height;
    const context = this.source.getContext('2d');
    const image = context.createImageData(shape.width, shape.height);
    for (let at = 0; at < pixels.length; at += 1) {
      const to = 4 * at;
      image.data[to] = image.data[to + 1] = image.data[to + 2] = pixels[at];
      image.data[to + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  /** Patches in a row of the page, and rows, for this width in CSS pixels. */
  fit(zoom, room) {
    const { width, height, patch } = this.shape;
    const [patchHeight, patchWidth] = patch;
    const columns = width / patchWidth;
    // A strip is folded; a page keeps its shape. An empty end is not shown.
    const folded = height === patchHeight ? Math.max(1, Math.min(columns, Math.floor(room / (patchWidth * zoom)))) : columns;
    const shown = height === patchHeight ? Math.min(columns, Math.max(this.shape.attended + 1, Math.min(columns, folded))) : columns * (height / patchHeight);
    return { columns, folded, rows: Math.ceil(shown / folded), shown, patchHeight, patchWidth };
  }

  /**
   * `how` is `drawn` (all of it, hidden patches tinted), `given` (hidden patches gone), `redrawn` (hidden patches framed) or `heat` (shares of `heat` in colour).
   * @param {{ zoom: number, grid: boolean, hidden: Uint8Array|null, chosen: number|null, how: string, heat?: number[] }} look
   */
  draw(look) {
    if (!this.shape) return;
    const bare = look.how !== 'drawn';
    const gone = look.how === 'given' || look.how === 'heat';
    const hottest = Math.max(1e-9, ...(look.heat ?? []));
    const room = Math.max(64, this.canvas.parentElement.clientWidth - 18);
    const fit = (this.now = { ...this.fit(look.zoom, room), zoom: look.zoom });
    const density = Math.max(1, Math.round(globalThis.devicePixelRatio || 1));
    const gap = fit.folded === fit.columns ? 0 : 3;
    const [w, h] = [fit.patchWidth * look.zoom, fit.patchHeight * look.zoom];
    this.now.step = [w, h + gap];
    const [wide, high] = [fit.folded * w, fit.rows * (h + gap) - gap];
    this.canvas.width = wide * density;
    this.canvas.height = high * density;
    this.canvas.style.width = `${wide}px`;
    this.canvas.style.height = `${high}px`;
    const context = this.canvas.getContext('2d');
    context.scale(density, density);
    context.imageSmoothingEnabled = false;
    const colour = colours();
    for (let patch = 0; patch < fit.shown; patch += 1) {
      const [x, y] = this.place(patch);
      const [column, row] = [patch % fit.columns, Math.floor(patch / fit.columns)];
      const hidden = look.hidden?.[patch] === 1 && patch < (bare ? this.shape.attended : Infinity);
      const away = (gone && hidden) || (bare && patch >= this.shape.attended);
      if (!away) context.drawImage(this.source, column * fit.patchWidth, row * fit.patchHeight, fit.patchWidth, fit.patchHeight, x, y, w, h);
      else if (hidden) hatch(context, x, y, w, h, colour.hidden);
      if (!bare && hidden) {
        context.globalAlpha = 0.3;
        context.fillStyle = colour.hidden;
        context.fillRect(x, y, w, h);
        context.globalAlpha = 1;
      }
      if (look.how === 'redrawn' && hidden) {
        context.fillStyle = colour.hidden;
        context.fillRect(x, y + h - 3, w, 3);
      }
      if (look.heat?.[patch] > 0 && !away) {
        // Ink stays ink: colour multiplies the paper.
        context.globalCompositeOperation = 'multiply';
        context.globalAlpha = 0.85 * (look.heat[patch] / hottest);
        context.fillStyle = HEAT;
        context.fillRect(x, y, w, h);
        context.globalAlpha = 1;
        context.globalCompositeOperation = 'source-over';
      }
      if (look.grid && (patch < this.shape.attended || !bare)) {
        context.globalAlpha = patch < this.shape.attended ? 0.75 : 0.25;
        context.strokeStyle = colour.soft;
        context.lineWidth = 0.5;
        context.strokeRect(x + 0.25, y + 0.25, w - 0.5, h - 0.5);
        context.globalAlpha = 1;
      }
    }
    if (look.chosen !== null && look.chosen < fit.shown) {
      const [x, y] = this.place(look.chosen);
      context.strokeStyle = colour.accent;
      context.lineWidth = 2.5;
      context.strokeRect(x + 1, y + 1, w - 2, h - 2);
    }
  }

  /** Where a patch lies, in CSS pixels. */
  place(patch) {
    const { folded, step } = this.now;
    return [(patch % folded) * step[0], Math.floor(patch / folded) * step[1]];
  }

  /** The patch under a pointer, or null. @param {PointerEvent|MouseEvent} event */
  under(event) {
    if (!this.now) return null;
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / this.now.step[0]);
    const row = Math.floor((event.clientY - box.top) / this.now.step[1]);
    const patch = row * this.now.folded + column;
    return column >= 0 && column < this.now.folded && patch >= 0 && patch < this.now.shown ? patch : null;
  }
}

/** A patch that is not there. */
function hatch(context, x, y, w, h, colour) {
  context.save();
  context.beginPath();
  context.rect(x, y, w, h);
  context.clip();
  context.strokeStyle = colour;
  context.globalAlpha = 0.55;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = -h; at < w; at += 5) {
    context.moveTo(x + at, y + h);
    context.lineTo(x + at + h, y);
  }
  context.stroke();
  context.restore();
}
