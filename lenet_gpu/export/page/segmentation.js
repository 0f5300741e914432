/**
 * Strokes to the digits of a number; follows lenet_gpu/ink/segmentation.py, function by function.
 *
 * Strokes are ordered from left to right. A digit is a run of some of them; every run that its geometry allows is
 * read by the network, and dynamic programming picks the most probable way to cut the row into runs.
 */
import { clip, logSigmoid, median } from "./numbers.js";
import { resampled, wayAlong } from "./raster.js";

/**
 * @typedef {import("./raster.js").Stroke} Stroke
 * @typedef {[number, number, number, number]} Box left, top, right, bottom
 *
 * @typedef {object} SegmentationRules
 * @property {number} MOST_STROKES strokes of one digit
 * @property {number} REACH greatest distance of two strokes in the order whose features matter
 * @property {number} SAMPLES points along a stroke by which distances are measured
 * @property {number[][]} TOGETHER log-odds of two strokes being of one digit: a quadratic form in (1, features)
 * @property {number} READING_WEIGHT
 * @property {number} MIN_READING
 * @property {number} DIGIT_PENALTY
 * @property {number} MIN_LOG_ODDS
 * @property {number} WIDEST
 * @property {number} FLAT
 * @property {number} STRAIGHT
 * @property {number} SPECK
 *
 * @typedef {object} Row strokes from left to right, measured in shares of the row's height
 * @property {number[]} order index of each in the list given
 * @property {Box[]} boxes
 * @property {Stroke[]} samples
 * @property {number[]} heights
 *
 * @typedef {object} Group strokes that make up one digit, or something between digits
 * @property {number[]} strokes their indices, ascending
 * @property {string} reason why this is no digit whatever the network says; empty if it may be one
 *
 * @typedef {[number, number]} Run first part, and the part after the last
 */

/**
 * Split the strokes of a number into its digits.
 * @param {Stroke[]} strokes at least one
 * @param {(strokes: number[]) => number} read gives the log-probability of the best digit of some strokes
 * @param {SegmentationRules} rules
 * @returns {Group[]} from left to right; each stroke is in one of them
 */
export function split(strokes, read, rules) {
  const row = layOut(strokes, rules);
  const bars = row.order.map((k) => isBar(strokes[k], rules));
  const specks = row.boxes.map((box) => Math.max(box[2] - box[0], box[3] - box[1]) < rules.SPECK);
  const links = link(row, bars, rules);
  const runs = runsOf(row, links, rules);
  const members = runs.map(([start, end]) => row.order.slice(start, end).sort((a, b) => a - b));
  const reasons = runs.map(([start, end]) =>
    bars.slice(start, end).every(Boolean) ? "bars" : specks.slice(start, end).every(Boolean) ? "speck" : "");
  const chosen = bestCuts(links, runs, members.map(read), reasons, rules);
  return chosen.map((k) => ({ strokes: members[k], reason: reasons[k] }));
}

/**
 * @param {Row} row
 * @param {number[][]} links
 * @param {SegmentationRules} rules
 * @returns {Run[]} every run that may be one digit
 */
function runsOf(row, links, rules) {
  const count = row.order.length;
  /** @type {Run[]} */
  const runs = [];
  for (let start = 0; start < count; start++) {
    for (let end = start + 1; end <= Math.min(start + rules.MOST_STROKES, count); end++) {
      if (end === start + 1 || mayBeOne(row.boxes, links, start, end, rules)) runs.push([start, end]);
    }
  }
  return runs;
}

/**
 * Order and measure strokes.
 * @param {Stroke[]} strokes
 * @param {SegmentationRules} rules
 * @returns {Row}
 */
function layOut(strokes, rules) {
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
 * @param {number[]} values
 * @returns {number} the greatest less the least
 */
function spread(values) {
  return Math.max(...values) - Math.min(...values);
}

/**
 * @param {Stroke} stroke
 * @returns {Box}
 */
export function boxOf(stroke) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of stroke) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x);
    bottom = Math.max(bottom, y);
  }
  return [left, top, right, bottom];
}

/**
 * Measure how two strokes lie, by the features of lenet_gpu.ink.segmentation.FEATURES.
 * @param {Row} row
 * @param {number} a the first in the order
 * @param {number} b the second
 * @returns {number[]}
 */
function measure(row, a, b) {
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
function distanceBetween(some, others) {
  let nearest = Infinity;
  for (const [x, y] of some) {
    for (const other of others) nearest = Math.min(nearest, (x - other[0]) ** 2 + (y - other[1]) ** 2);
  }
  return Math.sqrt(nearest);
}

/**
 * Compute the log-odds of every two strokes belonging to one digit.
 * @param {Row} row
 * @param {boolean[]} bars which strokes are straight and flat
 * @param {SegmentationRules} rules
 * @returns {number[][]} [a][k] for stroke a and stroke a + 1 + k; 0 where there is no such stroke
 */
function link(row, bars, rules) {
  return row.order.map((_, a) =>
    Array.from({ length: rules.REACH }, (_, k) => {
      const b = a + 1 + k;
      if (b >= row.order.length) return 0;
      const features = measure(row, a, b);
      const form = [1, ...features];
      let odds = 0;
      rules.TOGETHER.forEach((weights, i) => weights.forEach((weight, j) => { odds += form[i] * weight * form[j]; }));
      // One bar over another is an equals sign or part of a seven, never two digits.
      const overlap = features[1];
      return bars[a] && bars[b] && overlap > 0.5 ? Math.max(odds, 6) : odds;
    }));
}

/**
 * Tell whether a stroke is a flat straight line.
 * @param {Stroke} stroke
 * @param {SegmentationRules} rules
 * @returns {boolean}
 */
export function isBar(stroke, rules) {
  const [left, top, right, bottom] = boxOf(stroke);
  const [width, height] = [right - left, bottom - top];
  const way = wayAlong(stroke)[stroke.length - 1];
  return width > 0 && height <= rules.FLAT * width && way <= rules.STRAIGHT * Math.hypot(width, height);
}

/**
 * Tell whether geometry allows a run of strokes to be one digit.
 * @param {Box[]} boxes
 * @param {number[][]} links
 * @param {number} start
 * @param {number} end
 * @param {SegmentationRules} rules
 * @returns {boolean}
 */
function mayBeOne(boxes, links, start, end, rules) {
  const run = boxes.slice(start, end);
  const width = Math.max(...run.map((box) => box[2])) - Math.min(...run.map((box) => box[0]));
  return width <= rules.WIDEST && inner(links, start, end) > rules.MIN_LOG_ODDS;
}

/**
 * Cut a row of strokes into runs, each a digit, in the most probable way.
 * @param {number[][]} links
 * @param {Run[]} runs each single stroke is one
 * @param {number[]} readings log-probability of the best digit of each run
 * @param {string[]} reasons why each is no digit; empty if it may be one
 * @param {SegmentationRules} rules
 * @returns {number[]} indices of the runs chosen, from left to right
 */
function bestCuts(links, runs, readings, reasons, rules) {
  const scores = runs.map(([start, end], k) => {
    const reading = reasons[k] ? rules.MIN_READING : Math.max(readings[k], rules.MIN_READING);
    return inner(links, start, end) + rules.READING_WEIGHT * reading - rules.DIGIT_PENALTY;
  });
  /** @type {Map<number, number[]>} */
  const ending = new Map(); // runs by where they end
  const best = new Array(runs.length).fill(0);
  const before = new Array(runs.length).fill(-1);
  for (const k of runs.map((_, index) => index).sort((a, b) => runs[a][1] - runs[b][1])) {
    const [start, end] = runs[k];
    let most = start ? -Infinity : 0;
    for (const j of ending.get(start) ?? []) {
      const way = best[j] + logSigmoid(-strongest(links, runs[j][0], start, end));
      if (way >= most) [most, before[k]] = [way, j];
    }
    best[k] = most + scores[k];
    ending.set(end, [...(ending.get(end) ?? []), k]);
  }
  const last = ending.get(links.length) ?? [];
  const path = [];
  for (let k = last.reduce((a, b) => (best[b] > best[a] ? b : a)); k >= 0; k = before[k]) path.unshift(k);
  return path;
}

/**
 * @param {number[][]} links
 * @param {number} start
 * @param {number} end
 * @returns {number} log-probability that a run belongs together: of each stroke with some one before it
 */
function inner(links, start, end) {
  let sum = 0;
  for (let k = start + 1; k < end; k++) sum += logSigmoid(strongest(links, start, k, k + 1));
  return sum;
}

/**
 * @param {number[][]} links
 * @param {number} first
 * @param {number} start
 * @param {number} end
 * @returns {number} the greatest log-odds between the strokes from `first` to `start` and those from there to `end`
 */
function strongest(links, first, start, end) {
  let most = -Infinity;
  for (let a = first; a < start; a++) {
    for (let k = start - a - 1; k < end - a - 1; k++) most = Math.max(most, links[a][k]);
  }
  return most;
}
