/** Strokes in a row, and how every two of them lie to each other; follows lenet_gpu/ink/stroke_row.py. */
import { clip, median, spread } from "./numbers.js";
import { boxOf, resampled, wayAlong } from "./raster.js";

/**
 * @typedef {import("./raster.js").Stroke} Stroke
 * @typedef {import("./raster.js").Box} Box
 *
 * @typedef {object} RowRules
 * @property {number} SAMPLES points along a stroke by which distances are measured
 *
 * @typedef {object} Row strokes from left to right, measured in shares of the row's height
 * @property {number[]} order index of each in the list given
 * @property {Box[]} boxes
 * @property {Stroke[]} samples
 * @property {number[]} heights
 */

/**
 * Order and measure strokes.
 * @param {Stroke[]} strokes
 * @param {RowRules} rules
 * @returns {Row}
 */
export function layOut(strokes, rules) {
  const boxes = strokes.map(boxOf);
  const highs = boxes.map((box) => box[3] - box[1]);
  const widest = Math.max(...boxes.map((box) => box[2] - box[0]));
  // Bars and dots say nothing about how tall digits are; of the others the middle one is no outlier.
  const tallest = Math.max(...highs);
  let height = Math.max(median(highs.filter((high) => high >= 0.6 * tallest)), 0.55 * widest);
  if (height <= 1e-12 * Math.max(...boxes.flat().map(Math.abs))) {
    height = Math.max(...[0, 1, 2, 3].map((side) => spread(boxes.map((box) => box[side])))) || 1; // dots alone
  }
  const middles = boxes.map((box) => box[0] + box[2]);
  const order = strokes.map((_, k) => k).sort((a, b) => middles[a] - middles[b]);
  const left = Math.min(...boxes.map((box) => box[0]));
  const top = Math.min(...boxes.map((box) => box[1]));
  /** @type {Box[]} */
  const scaled = order.map((k) => [
    (boxes[k][0] - left) / height, (boxes[k][1] - top) / height,
    (boxes[k][2] - left) / height, (boxes[k][3] - top) / height,
  ]);
  const samples = order.map((k) => resampled(strokes[k], wayAlong(strokes[k]), rules.SAMPLES)
    .map(([x, y]) => /** @type {[number, number]} */ ([(x - left) / height, (y - top) / height])));
  return { order, boxes: scaled, samples, heights: scaled.map((box) => box[3] - box[1]) };
}

/**
 * Measure how two strokes lie, by the features of lenet_gpu.ink.stroke_row.FEATURES.
 * @param {Row} row
 * @param {number} a the first in the order
 * @param {number} b the second
 * @returns {number[]}
 */
export function measure(row, a, b) {
  const [left, right] = [row.boxes[a], row.boxes[b]];
  const gap = Math.max(left[0], right[0]) - Math.min(left[2], right[2]); // below 0: they overlap
  const width = Math.min(left[2] - left[0], right[2] - right[0]);
  const height = Math.min(row.heights[a], row.heights[b]);
  const rows = Math.min(left[3], right[3]) - Math.max(left[1], right[1]);
  const flatness = [a, b].map((k) =>
    row.heights[k] / (row.heights[k] + row.boxes[k][2] - row.boxes[k][0] + 1e-9));
  return [
    clip(gap, -0.5, 0.5),
    clip(-gap / (width + 0.1), -1, 1),
    Math.min(distanceBetween(row.samples[a], row.samples[b]), 0.5),
    Math.min(height, 1.5),
    Math.min(Math.max(row.heights[a], row.heights[b]), 1.5),
    Math.min(...flatness),
    Math.min(Math.max(left[2], right[2]) - Math.min(left[0], right[0]), 2),
    clip(rows / (height + 0.1), -1, 1),
  ];
}

/**
 * @param {Stroke} some
 * @param {Stroke} others
 * @returns {number} the distance of the two points that are nearest
 */
export function distanceBetween(some, others) {
  let nearest = Infinity;
  for (const [x, y] of some) {
    for (const other of others) nearest = Math.min(nearest, (x - other[0]) ** 2 + (y - other[1]) ** 2);
  }
  return Math.sqrt(nearest);
}
