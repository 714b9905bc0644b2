// What part of the drawing is seen: a scale and a shift, moved by pointer, wheel, buttons and keys. The world element is moved by one transform, which the browser
// composites; the drawing itself is painted anew only once the camera rests.

const REST_MS = 140;

export class Camera {
  /**
   * @param {HTMLElement} frame @param {HTMLElement} world
   * @param {{ onRest: () => void, onMove?: () => void }} events
   */
  constructor(frame, world, events) {
    Object.assign(this, { frame, world, events });
    this.size = { width: 1, height: 1 };
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.timer = 0;
    this.pointers = new Map();
    this.moved = false;
    frame.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    frame.addEventListener('pointerdown', (event) => this.down(event));
    frame.addEventListener('pointermove', (event) => this.drag(event));
    for (const name of ['pointerup', 'pointercancel', 'lostpointercapture']) frame.addEventListener(name, (event) => this.up(event));
    new ResizeObserver(() => this.resized()).observe(frame);
  }

  /** The drawing's own size. */
  setWorld(width, height) {
    this.size = { width, height };
    this.fit();
  }

  bounds() {
    return { width: this.frame.clientWidth, height: this.frame.clientHeight };
  }

  get smallest() {
    const { width, height } = this.bounds();
    return Math.min(1.6, Math.min(width / this.size.width, height / this.size.height)) * 0.96;
  }

  fit() {
    const { width, height } = this.bounds();
    this.scale = this.smallest;
    this.x = (width - this.size.width * this.scale) / 2;
    this.y = (height - this.size.height * this.scale) / 2;
    this.fitted = true;
    this.apply(true);
  }

  resized() {
    if (this.fitted) this.fit();
    else this.apply();
  }

  /** Zooms by a factor around a point of the frame (its middle without one). */
  zoom(factor, x = this.bounds().width / 2, y = this.bounds().height / 2) {
    const scale = Math.min(8, Math.max(this.smallest * 0.6, this.scale * factor));
    const by = scale / this.scale;
    this.x = x - (x - this.x) * by;
    this.y = y - (y - this.y) * by;
    this.scale = scale;
    this.fitted = false;
    this.apply();
  }

  pan(dx, dy) {
    const { width, height } = this.bounds();
    const keep = 60;
    this.x = Math.min(width - keep, Math.max(keep - this.size.width * this.scale, this.x + dx));
    this.y = Math.min(height - keep, Math.max(keep - this.size.height * this.scale, this.y + dy));
    this.fitted = false;
    this.apply();
  }

  /** Brings a place of the drawing into view. */
  show(x, y) {
    const { width, height } = this.bounds();
    const [left, top] = [x * this.scale + this.x, y * this.scale + this.y];
    const margin = 40;
    const dx = left < margin ? margin - left : left > width - margin ? width - margin - left : 0;
    const dy = top < margin ? margin - top : top > height - margin ? height - margin - top : 0;
    if (dx || dy) this.pan(dx, dy);
  }

  /** From the frame to the drawing. */
  place(event) {
    const box = this.frame.getBoundingClientRect();
    return [(event.clientX - box.left - this.frame.clientLeft - this.x) / this.scale, (event.clientY - box.top - this.frame.clientTop - this.y) / this.scale];
  }

  apply(now = false) {
    this.world.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.world.style.willChange = 'transform';
    this.events.onMove?.();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.world.style.willChange = 'auto';
      this.events.onRest();
    }, now ? 0 : REST_MS);
  }

  wheel(event) {
    // The plain wheel scrolls the page, as everywhere else.
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const box = this.frame.getBoundingClientRect();
    const lines = event.deltaMode === 1 ? 16 : 1;
    this.zoom(Math.exp(-Math.max(-60, Math.min(60, event.deltaY * lines)) * 0.01), event.clientX - box.left, event.clientY - box.top);
  }

  down(event) {
    if (event.button !== 0) return;
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.moved = false;
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    if (!this.moved && Math.hypot(now[0] - before[0], now[1] - before[1]) < 4) return;
    if (!this.moved) {
      this.moved = true;
      // Captured only once it is a drag, so that presses reach the boxes.
      this.frame.setPointerCapture(event.pointerId);
      this.frame.classList.add('moving');
    }
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (other) {
      const [old, far] = [Math.hypot(before[0] - other[0], before[1] - other[1]), Math.hypot(now[0] - other[0], now[1] - other[1])];
      const box = this.frame.getBoundingClientRect();
      if (old > 0) this.zoom(far / old, (now[0] + other[0]) / 2 - box.left, (now[1] + other[1]) / 2 - box.top);
    } else this.pan(now[0] - before[0], now[1] - before[1]);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size === 0) this.frame.classList.remove('moving');
  }

  get dragging() {
    return this.moved && this.pointers.size > 0;
  }
}
