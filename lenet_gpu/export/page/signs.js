/** A minus, a decimal point and a comma, told from digits by size and place; follows lenet_gpu/ink/signs.py. */
import { indexOfGreatest } from "./numbers.js";

/**
 * @typedef {import("./raster.js").Box} Box
 *
 * @typedef {object} SignRules
 * @property {number} TALL
 * @property {number} DASH
 * @property {number} DOT
 */

/**
 * Say what sign a mark is.
 * @param {Box} box
 * @param {Box[]} boxes of all marks of the line
 * @param {number} height of the line's digits
 * @param {SignRules} rules
 * @returns {string} "-", "." or ","; empty for all else
 */
export function signAt(box, boxes, height, rules) {
  const [left, top, right, bottom] = box;
  const [high, wide] = [bottom - top, right - left];
  const tall = boxes.filter((other) => other[3] - other[1] >= rules.TALL * height);
  if (high >= rules.TALL * height || !tall.length) return "";
  const near = tall[indexOfGreatest(tall.map((other) => -Math.abs(other[0] + other[2] - left - right)))];
  const middle = ((top + bottom) / 2 - near[1]) / (near[3] - near[1]);
  const apart = Math.max(near[0], left) - Math.min(near[2], right);
  if (wide >= rules.DASH * high && wide > 0.2 * height && middle > 0.25 && middle < 0.8 && apart > 0) return "-";
  if (wide <= 0.3 * height && high <= 0.45 * height && middle > 0.75 && apart > -0.1 * height) {
    const isLong = Math.max(high, wide) > rules.DOT * height;
    return isLong && (high > 1.5 * wide || top >= near[3]) ? "," : ".";
  }
  return "";
}
