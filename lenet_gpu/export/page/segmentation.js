/**
 * Strokes to the digits of a number; follows lenet_gpu/ink/segmentation.py, function by function.
 *
 * Each line's strokes are ordered from left to right. A digit is a run of some of them; every run that its geometry
 * allows is read by the network, and the most probable way to cut the row into runs is picked.
 */
import { crossingDepth } from "./crossings.js";
import { bestCuts, mayBeOne } from "./cuts.js";
import { boxOf, wayAlong } from "./raster.js";
import { signAt } from "./signs.js";
import { linesOfStrokes } from "./stroke_lines.js";
import { distanceBetween, layOut, measure } from "./stroke_row.js";

/**
 * @typedef {import("./raster.js").Stroke} Stroke
 * @typedef {import("./stroke_row.js").Row} Row
 * @typedef {import("./cuts.js").Run} Run
 * @typedef {import("./cuts.js").CutRules} CutRules
 *
 * @typedef {object} SegmentationRules
 * @property {number[][]} TOGETHER log-odds of two strokes being of one digit: a quadratic form in (1, features)
 * @property {number} SIGN_READING
 * @property {number} TOUCHING
 * @property {number} CROSSED
 * @property {number} APART
 * @property {number} FLAT
 * @property {number} STRAIGHT
 * @property {number} SPECK
 *
 * @typedef {object} Group strokes that make up one digit, or something between digits
 * @property {number[]} strokes their indices, ascending
 * @property {string} reason why this is no digit whatever the network says; empty if it may be one
 * @property {string} sign "-", "." or ","; empty otherwise
 * @property {number} line number of its line, from the top
 *
 * @typedef {object} NumberRules constants by the module that they come from
 * @property {SegmentationRules} segmentation
 * @property {CutRules} cuts
 * @property {import("./stroke_row.js").RowRules} stroke_row
 * @property {import("./signs.js").SignRules} signs
 * @property {import("./stroke_lines.js").LineRules} stroke_lines
 */

/**
 * Split the strokes of a number into its digits.
 * @param {Stroke[]} strokes at least one
 * @param {(strokes: number[]) => number} read gives the log-probability of the best digit of some strokes
 * @param {NumberRules} rules
 * @returns {Group[]} line by line from left to right; each stroke is in one of them
 */
export function split(strokes, read, rules) {
  return linesOfStrokes(strokes, rules.stroke_lines)
    .flatMap((line, number) => splitLine(strokes, line, read, rules).map((group) => ({ ...group, line: number })));
}

/**
 * Split one line's strokes.
 * @param {Stroke[]} strokes
 * @param {number[]} line indices of its strokes
 * @param {(strokes: number[]) => number} read
 * @param {NumberRules} rules
 * @returns {Omit<Group, "line">[]}
 */
function splitLine(strokes, line, read, { segmentation: rules, cuts, stroke_row, signs: signRules }) {
  const row = layOut(line.map((k) => strokes[k]), stroke_row);
  const order = row.order.map((k) => line[k]);
  const bars = order.map((k) => isBar(strokes[k], rules));
  const specks = row.boxes.map((box) => Math.max(box[2] - box[0], box[3] - box[1]) < rules.SPECK);
  const links = link(row, bars, rules, cuts.REACH);
  const signs = row.boxes.map((box) => signAt(box, row.boxes, 1, signRules));
  const dots = signs.map((sign, k) => isDot(row, k, sign, rules));
  const runs = runsOf(row, links, dots, cuts);
  const members = runs.map(([start, end]) => order.slice(start, end).sort((a, b) => a - b));
  const reasons = runs.map(([start, end]) =>
    bars.slice(start, end).every(Boolean) ? "bars" : specks.slice(start, end).every(Boolean) ? "speck" : "");
  const alone = runs.map(([start, end]) => (end === start + 1 ? signs[start] : ""));
  const readings = members.map((some, k) => (alone[k] ? rules.SIGN_READING : read(some)));
  const barred = reasons.map((reason, k) => (alone[k] ? "" : reason));
  return bestCuts(links, runs, readings, barred, cuts)
    .map((k) => ({ strokes: members[k], reason: reasons[k], sign: alone[k] }));
}

/**
 * @param {Row} row
 * @param {number[][]} links
 * @param {boolean[]} dots which strokes are no part of a digit
 * @param {CutRules} rules
 * @returns {Run[]} every run that may be one digit
 */
function runsOf(row, links, dots, rules) {
  const count = row.order.length;
  /** @type {Run[]} */
  const runs = [];
  for (let start = 0; start < count; start++) {
    for (let end = start + 1; end <= Math.min(start + rules.MOST_STROKES, count); end++) {
      const isOne = end === start + 1
        || (!dots.slice(start, end).includes(true) && mayBeOne(row.boxes, links, start, end, rules));
      if (isOne) runs.push([start, end]);
    }
  }
  return runs;
}

/**
 * Tell whether a stroke is no part of a digit: a point, or a comma that is apart from all else.
 * @param {Row} row
 * @param {number} k
 * @param {string} sign
 * @param {SegmentationRules} rules
 * @returns {boolean}
 */
function isDot(row, k, sign, rules) {
  if (sign !== ",") return sign === "."; // and a dash may be a part of a digit
  const others = row.samples.filter((_, other) => other !== k).flat();
  return distanceBetween(row.samples[k], others) > rules.APART;
}

/**
 * Compute the log-odds of every two strokes belonging to one digit.
 * @param {Row} row
 * @param {boolean[]} bars which strokes are straight and flat
 * @param {SegmentationRules} rules
 * @param {number} reach how many strokes behind each are looked at
 * @returns {number[][]} [a][k] for stroke a and stroke a + 1 + k; 0 where there is no such stroke
 */
function link(row, bars, rules, reach) {
  return row.order.map((_, a) =>
    Array.from({ length: reach }, (_, k) => {
      const b = a + 1 + k;
      if (b >= row.order.length) return 0;
      const features = measure(row, a, b);
      const form = [1, ...features];
      let odds = 0;
      rules.TOGETHER.forEach((weights, i) => weights.forEach((weight, j) => { odds += form[i] * weight * form[j]; }));
      // One bar over another is an equals sign or part of a seven, never two digits.
      const overlap = features[1];
      if (bars[a] && bars[b] && overlap > 0.5) odds = Math.max(odds, 6);
      const depth = crossingDepth(row.samples[a], row.samples[b]);
      return depth > rules.TOUCHING ? Math.max(odds, rules.CROSSED * (depth - rules.TOUCHING)) : odds;
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
