/**
 * Cut a row of strokes into runs that are a digit each; follows lenet_gpu/ink/cuts.py, function by function.
 *
 * Dynamic programming picks the most probable way of all.
 */
import { logSigmoid } from "./numbers.js";

/**
 * @typedef {object} CutRules
 * @property {number} MOST_STROKES strokes of one digit
 * @property {number} REACH greatest distance of two strokes in the order whose features matter
 * @property {number} READING_WEIGHT
 * @property {number} MIN_READING
 * @property {number} DIGIT_PENALTY
 * @property {number} MIN_LOG_ODDS
 * @property {number} WIDEST
 *
 * @typedef {[number, number]} Run first part, and the part after the last
 */

/**
 * Tell whether geometry allows a run of strokes to be one digit.
 * @param {import("./raster.js").Box[]} boxes
 * @param {number[][]} links
 * @param {number} start
 * @param {number} end
 * @param {CutRules} rules
 * @returns {boolean}
 */
export function mayBeOne(boxes, links, start, end, rules) {
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
 * @param {CutRules} rules
 * @returns {number[]} indices of the runs chosen, from left to right
 */
export function bestCuts(links, runs, readings, reasons, rules) {
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
