/**
 * The drawing: strokes, and the way back to earlier ones; follows app/ink.py.
 *
 * Ink has its origin in the middle of the board, x runs right, y down, and the board is one unit wide.
 */

/**
 * @typedef {import("./raster.js").Stroke} Stroke
 * @typedef {import("./raster.js").Point} Point
 */

/** Steps that can be taken back. */
const MOST_HISTORY = 500;

export class Ink {
  constructor() {
    /** @type {Stroke[]} finished strokes, oldest first; neither list nor strokes are changed in place */
    this.strokes = [];
    /** @type {Map<unknown, Gesture>} those that are being drawn, by pointer */
    this.live = new Map();
    /** @type {Stroke[][]} */
    this.past = [];
    /** @type {Stroke[][]} */
    this.future = [];
  }

  /** @returns {boolean} */
  get isEmpty() {
    return !this.all().length;
  }

  /** @returns {Stroke[]} all strokes; of those that are being drawn a copy of what there is */
  all() {
    const drawn = [...this.live.values()].flatMap((gesture) => gesture.pieces);
    return [...this.strokes, ...drawn.map((piece) => [...piece])];
  }

  /**
   * @param {unknown} pointer
   * @param {Point} point
   * @param {number} height of the board in its widths
   * @returns {Gesture}
   */
  begin(pointer, point, height) {
    this.finish(pointer);
    const gesture = new Gesture(point, height);
    this.live.set(pointer, gesture);
    return gesture;
  }

  /**
   * End a gesture: its pieces become one step of the history.
   * @param {unknown} pointer
   */
  finish(pointer) {
    const gesture = this.live.get(pointer);
    this.live.delete(pointer);
    if (gesture?.pieces.length) this.change([...this.strokes, ...gesture.pieces]);
  }

  finishAll() {
    for (const pointer of [...this.live.keys()]) this.finish(pointer);
  }

  /** @param {unknown} pointer whose gesture is forgotten */
  forget(pointer) {
    this.live.delete(pointer);
  }

  clear() {
    this.finishAll();
    if (this.strokes.length) this.change([]);
  }

  undo() {
    this.travel(this.past, this.future);
  }

  redo() {
    this.travel(this.future, this.past);
  }

  /** @param {Stroke[]} strokes */
  change(strokes) {
    this.past.push(this.strokes);
    this.past.splice(0, this.past.length - MOST_HISTORY);
    this.future.length = 0;
    this.strokes = strokes;
  }

  /**
   * @param {Stroke[][]} from
   * @param {Stroke[][]} to
   */
  travel(from, to) {
    this.finishAll();
    const strokes = from.pop();
    if (!strokes) return;
    to.push(this.strokes);
    this.strokes = strokes;
  }
}

/** One pointer's way, from touching to lifting: a stroke, or several where it left the board. */
export class Gesture {
  /**
   * @param {Point} start
   * @param {number} height of the board in its widths
   */
  constructor(start, height) {
    this.halves = [0.5, height / 2];
    this.last = start;
    this.isInside = this.holds(start);
    /** @type {Stroke[]} */
    this.pieces = this.isInside ? [[start]] : [];
  }

  /**
   * Go on to a point; outside of the board nothing is drawn, and coming back begins a new stroke.
   * @param {Point} point
   */
  add(point) {
    const from = this.last;
    if (point[0] === from[0] && point[1] === from[1]) return;
    this.last = point;
    const part = this.partInside(from, point);
    if (part) {
      if (!this.isInside) this.pieces.push([part[0]]);
      const piece = this.pieces[this.pieces.length - 1];
      const end = piece[piece.length - 1];
      if (part[1][0] !== end[0] || part[1][1] !== end[1]) piece.push(part[1]);
    }
    this.isInside = part !== null && this.holds(point);
  }

  /**
   * @param {Point} point
   * @returns {boolean}
   */
  holds(point) {
    return [0, 1].every((axis) => Math.abs(point[axis]) <= this.halves[axis]);
  }

  /**
   * Cut a segment to its part within the board (Liang and Barsky 1984).
   * @param {Point} from
   * @param {Point} to
   * @returns {[Point, Point] | null}
   */
  partInside(from, to) {
    let [first, last] = [0, 1];
    for (const axis of [0, 1]) {
      const way = to[axis] - from[axis];
      for (const [step, room] of [[-way, from[axis] + this.halves[axis]], [way, this.halves[axis] - from[axis]]]) {
        if (step === 0 && room < 0) return null;
        if (step < 0) first = Math.max(first, room / step);
        if (step > 0) last = Math.min(last, room / step);
      }
    }
    if (first > last) return null;
    const at = (/** @type {number} */ share) => /** @type {Point} */ (
      [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])]);
    return [first === 0 ? from : at(first), last === 1 ? to : at(last)];
  }
}
