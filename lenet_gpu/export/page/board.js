/** The board: fingers, pens, mouse and keyboard put ink on it. */
import { Pointers } from "./pointers.js";

/**
 * @typedef {import("./raster.js").Point} Point
 * @typedef {import("./raster.js").Stroke} Stroke
 *
 * @typedef {object} BoardEvents
 * @property {() => void} grown ink is being added
 * @property {() => void} changed a stroke has ended, or was taken away
 * @property {(key: string) => void} said a text for screen readers, by its key
 * @property {() => void} toggled the key for numbers was pressed
 */

/** Width of a line, in widths of the board. */
const LINE = 0.022;

/** Step of the keyboard's pen, and with Shift, in widths of the board. */
const STEP = 1 / 48;
const LEAP = 1 / 8;

/** @type {Record<string, Point>} where keys move the pen */
const PEN_WAYS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-1, -1], PageUp: [1, -1], End: [-1, 1], PageDown: [1, 1],
};

export class Board {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} cursor shows where the keyboard's pen is
   * @param {import("./ink.js").Ink} ink
   * @param {BoardEvents} events
   */
  constructor(canvas, cursor, ink, events) {
    this.canvas = canvas;
    this.cursor = cursor;
    this.ink = ink;
    this.events = events;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    /** Whether anything was painted: an untouched canvas costs nothing when the page opens. */
    this.isPainted = false;
    /** Whether the size is known that the board has on the page. */
    this.isMeasured = false;
    /** @type {Point} */
    this.pen = [0, 0];
    this.height = 0.75;
    this.held = new Set();
    this.pointers = new Pointers(ink);
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.cancel(event));
    canvas.addEventListener("lostpointercapture", (event) => this.up(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("keyup", (event) => this.held.delete(event.key));
    canvas.addEventListener("focus", () => this.showCursor());
    canvas.addEventListener("blur", () => this.leave());
    addEventListener("pagehide", () => { // it may be come back to, and has missed the end of a stroke
      this.rest();
      this.pointers.leave();
    });
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  // ---- pointers

  /**
   * @param {PointerEvent} event
   * @returns {Point} where it is, in ink's units
   */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width - 0.5, (event.clientY - box.top - box.height / 2) / box.width];
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button !== 0 || this.pointers.isHand(event)) return;
    if (this.pointers.begin(event)) this.redraw();
    this.cursor.hidden = true;
    this.canvas.setPointerCapture(event.pointerId);
    this.ink.begin(event.pointerId, this.place(event), this.height);
    this.drawEnd(event.pointerId, 0, 0);
    this.events.grown();
  }

  /** @param {PointerEvent} event */
  move(event) {
    this.pointers.notice(event);
    const gesture = this.ink.live.get(event.pointerId);
    if (!gesture) return;
    if (event.pointerType === "mouse" && !event.buttons) return this.up(event); // let go where nobody told the page
    const every = event.getCoalescedEvents?.() ?? [];
    const last = gesture.pieces.length - 1;
    const drawn = gesture.pieces[last]?.length ?? 0;
    for (const each of every.length ? every : [event]) gesture.add(this.place(each));
    this.drawEnd(event.pointerId, last, drawn);
    this.events.grown();
  }

  /** @param {PointerEvent} event */
  up(event) {
    this.pointers.end(event);
    if (!this.ink.live.has(event.pointerId)) return;
    this.ink.finish(event.pointerId);
    this.events.changed();
  }

  /** @param {PointerEvent} event which the system took away: its stroke was none */
  cancel(event) {
    this.pointers.end(event);
    if (!this.ink.live.has(event.pointerId)) return;
    this.ink.forget(event.pointerId);
    this.redraw();
    this.events.changed();
  }

  /** End the strokes that are being drawn. */
  rest() {
    if (!this.ink.live.size) return;
    this.ink.finishAll();
    this.events.changed();
  }

  // ---- keyboard

  /** @param {KeyboardEvent} event */
  key(event) {
    if (this.command(event)) event.preventDefault();
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key was ours
   */
  command(event) {
    const { key, shiftKey } = event;
    if (event.ctrlKey || event.metaKey) {
      if (key.toLowerCase() === "z") this.travel(shiftKey);
      else if (key.toLowerCase() === "y") this.travel(true);
      else return false;
      return true;
    }
    if (event.altKey) return false;
    if (key in PEN_WAYS) {
      this.held.add(key);
      this.walk(shiftKey ? LEAP : STEP);
    } else if (key === " ") this.togglePen();
    else if (key === "Delete") this.clear();
    else if (key === "Backspace") this.travel(false);
    else if (key === "Escape" && this.ink.live.has("keys")) this.togglePen();
    else if (key.toLowerCase() === "n") this.events.toggled();
    else return false;
    return true;
  }

  /** @param {number} step way that every key held moves the pen */
  walk(step) {
    const ways = [...this.held].map((key) => PEN_WAYS[key]);
    const to = (/** @type {number} */ axis, /** @type {number} */ half) => {
      const way = Math.sign(ways.reduce((sum, each) => sum + each[axis], 0));
      return Math.min(Math.max(this.pen[axis] + way * step, -half), half);
    };
    this.pen = [to(0, 0.5), to(1, this.height / 2)];
    this.showCursor();
    const gesture = this.ink.live.get("keys");
    if (!gesture) return;
    gesture.add(this.pen);
    this.drawEnd("keys", 0, gesture.pieces[0].length - 1);
    this.events.grown();
  }

  togglePen() {
    if (this.ink.live.has("keys")) {
      this.ink.finish("keys");
      this.events.said("pen_up");
      this.events.changed();
    } else {
      this.ink.begin("keys", this.pen, this.height);
      this.drawEnd("keys", 0, 0);
      this.events.said("pen_down");
      this.events.grown();
    }
    this.showCursor();
  }

  leave() {
    this.held.clear();
    this.cursor.hidden = true;
    if (this.ink.live.has("keys")) this.togglePen();
    this.cursor.hidden = true;
  }

  showCursor() {
    if (!this.canvas.matches(":focus-visible")) return;
    const { width } = this.canvas.getBoundingClientRect();
    this.cursor.hidden = false;
    this.cursor.classList.toggle("down", this.ink.live.has("keys"));
    const [x, y] = [(this.pen[0] + 0.5) * width, (this.pen[1] + this.height / 2) * width];
    this.cursor.style.transform = `translate(${x}px, ${y}px)`;
  }

  // ---- history

  /** @param {boolean} forward */
  travel(forward) {
    if (forward) this.ink.redo();
    else this.ink.undo();
    this.redraw();
    this.events.changed();
  }

  clear() {
    this.ink.clear();
    this.redraw();
    this.events.said("cleared");
    this.events.changed();
  }

  // ---- drawing

  resize() {
    const box = this.canvas.getBoundingClientRect();
    if (!box.width) return;
    if (this.isMeasured) this.rest(); // another place is under the pen now
    this.isMeasured = true;
    this.height = box.height / box.width;
    this.canvas.width = Math.round(box.width * devicePixelRatio);
    this.canvas.height = Math.round(box.height * devicePixelRatio);
    this.isPainted = false; // its size makes it empty
    this.redraw();
  }

  redraw() {
    if (this.isPainted) this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.isPainted = false;
    for (const stroke of this.ink.all()) this.line(stroke, 0);
  }

  /** Take the pen, as wide and as dark as it is now. */
  takePen() {
    this.context.lineWidth = LINE * this.canvas.width;
    this.context.lineCap = this.context.lineJoin = "round";
    this.context.strokeStyle = getComputedStyle(this.canvas).color;
    this.isPainted = true;
  }

  /**
   * Draw what a gesture has got since it was drawn last.
   * @param {unknown} pointer
   * @param {number} piece the first that may have grown
   * @param {number} points how many of it are drawn already
   */
  drawEnd(pointer, piece, points) {
    const pieces = this.ink.live.get(pointer)?.pieces ?? [];
    for (let k = Math.max(piece, 0); k < pieces.length; k++) {
      this.line(pieces[k], k === piece ? Math.max(points - 1, 0) : 0);
    }
  }

  /**
   * @param {Stroke} stroke
   * @param {number} from its first point to draw
   */
  line(stroke, from) {
    if (!this.isPainted) this.takePen();
    const { width, height } = this.canvas;
    const path = new Path2D();
    stroke.slice(from).forEach(([x, y], k) => {
      const [left, top] = [(x + 0.5) * width, y * width + height / 2];
      if (k) path.lineTo(left, top);
      else path.moveTo(left, top);
      if (stroke.length === 1) path.lineTo(left, top);
    });
    this.context.stroke(path);
  }
}
