/**
 * Lines of numbers, written one above the other; follows lenet_gpu/ink/stroke_lines.py.
 *
 * Lines are parted where, seen along some slope of writing, no tall stroke is. What is low belongs to the line that is
 * nearest.
 */
import { indexOfGreatest, spread } from "./numbers.js";
import { boxOf } from "./raster.js";

/**
 * @typedef {import("./raster.js").Stroke} Stroke
 * @typedef {import("./raster.js").Box} Box
 *
 * @typedef {object} LineRules
 * @property {number} TALL
 * @property {number} GAP
 * @property {number} RINGS
 * @property {number} CLOSED
 * @property {number} OVER
 * @property {number} LONG
 * @property {number[]} SLOPES
 */

/**
 * Sort strokes into lines.
 * @param {Stroke[]} strokes at least one
 * @param {LineRules} rules
 * @returns {number[][]} the indices of each line's strokes, ascending; from top to bottom
 */
export function linesOfStrokes(strokes, rules) {
  let every = [strokes.map((_, k) => k)];
  const boxes = strokes.map(boxOf);
  const heights = boxes.map((box) => box[3] - box[1]);
  const tallest = heights[indexOfGreatest(heights)];
  const tall = every[0].filter((k) => heights[k] >= rules.TALL * tallest);
  if (tall.length < 2 || tallest <= 0) return every;
  const isLong = spread(boxes.flatMap((box) => [box[0], box[2]])) > rules.LONG * tallest;
  for (const slope of isLong ? rules.SLOPES : rules.SLOPES.slice(0, 1)) {
    /** @type {Box[]} */
    const level = boxes.map(([left, top, right, bottom]) => {
      const shift = slope * ((left + right) / 2);
      return [left, top - shift, right, bottom - shift];
    });
    const found = parted(strokes, level, tall, rules);
    if (found.length > every.length) every = found;
  }
  return every;
}

/**
 * Part strokes between which there is a level gap.
 * @param {Stroke[]} strokes
 * @param {Box[]} boxes
 * @param {number[]} tall
 * @param {LineRules} rules
 * @returns {number[][]} empty if the parts do not lie over each other
 */
function parted(strokes, boxes, tall, rules) {
  const order = [...tall].sort((a, b) => boxes[a][1] - boxes[b][1]);
  /** @type {number[][]} */
  const lines = [];
  let start = 0;
  let reached = boxes[order[0]][3];
  for (let k = 1; k < order.length; k++) {
    const gap = boxes[order[k]][1] - reached;
    if (gap > 0 && areLines(strokes, boxes, order.slice(start, k), order.slice(k), gap, rules)) {
      lines.push(order.slice(start, k));
      start = k;
    }
    reached = Math.max(reached, boxes[order[k]][3]);
  }
  lines.push(order.slice(start));
  const boxesOf = (/** @type {number[]} */ line) => line.map((k) => boxes[k]);
  if (lines.some((line, k) => k > 0 && !isOver(boxesOf(lines[k - 1]), boxesOf(line), rules))) return [];
  const tops = lines.map((line) => Math.min(...boxesOf(line).map((box) => box[1])));
  const bottoms = lines.map((line) => Math.max(...boxesOf(line).map((box) => box[3])));
  const nearest = boxes.map((box) => {
    const middle = (box[1] + box[3]) / 2;
    return indexOfGreatest(tops.map((top, line) => -Math.max(top - middle, middle - bottoms[line], 0)));
  });
  lines.forEach((line, number) => line.forEach((k) => { nearest[k] = number; }));
  return lines.map((_, number) => strokes.map((__, k) => k).filter((k) => nearest[k] === number));
}

/**
 * Tell whether a gap between strokes is wide enough to be one between lines.
 * @param {Stroke[]} strokes
 * @param {Box[]} boxes
 * @param {number[]} above
 * @param {number[]} below
 * @param {number} gap
 * @param {LineRules} rules
 * @returns {boolean}
 */
function areLines(strokes, boxes, above, below, gap, rules) {
  const heightOf = (/** @type {number} */ k) => boxes[k][3] - boxes[k][1];
  const upper = above[indexOfGreatest(above.map((k) => boxes[k][3]))];
  const lower = below[0];
  const rings = above.length === 1 && below.length === 1 && isRing(strokes[upper], rules) && isRing(strokes[lower], rules);
  return gap >= (rings ? rules.RINGS : rules.GAP) * Math.min(heightOf(upper), heightOf(lower));
}

/**
 * Tell whether a stroke ends about where it began.
 * @param {Stroke} stroke
 * @param {LineRules} rules
 * @returns {boolean}
 */
function isRing(stroke, rules) {
  const [first, last] = [stroke[0], stroke[stroke.length - 1]];
  const [left, top, right, bottom] = boxOf(stroke);
  return Math.hypot(last[0] - first[0], last[1] - first[1]) <= rules.CLOSED * Math.max(right - left, bottom - top);
}

/**
 * Tell whether some strokes lie over others.
 * @param {Box[]} above
 * @param {Box[]} below
 * @param {LineRules} rules
 * @returns {boolean}
 */
function isOver(above, below, rules) {
  const side = (/** @type {Box[]} */ boxes, /** @type {number[]} */ sides) =>
    boxes.flatMap((box) => sides.map((each) => box[each]));
  const left = Math.max(Math.min(...side(above, [0])), Math.min(...side(below, [0])));
  const right = Math.min(Math.max(...side(above, [2])), Math.max(...side(below, [2])));
  const narrower = Math.min(spread(side(above, [0, 2])), spread(side(below, [0, 2])));
  const least = Math.max(narrower, 0.1 * Math.max(spread(side(above, [1, 3])), spread(side(below, [1, 3]))));
  return narrower >= least ? right - left >= rules.OVER * narrower : right >= left;
}
