/** The depth to which strokes cross: what is drawn across something else belongs to it; follows ink/crossings.py. */

/** @typedef {import("./raster.js").Stroke} Stroke */

/**
 * Measure how far one of two strokes that cross has to be moved sideways until they are apart.
 * @param {Stroke} a
 * @param {Stroke} b
 * @returns {number} 0 where they do not cross
 */
export function crossingDepth(a, b) {
  return boxesMeet(a, b) && doCross(a, b) ? Math.max(0, Math.min(overlapOf(a, b), overlapOf(b, a))) : 0;
}

/**
 * @param {Stroke} a
 * @param {Stroke} b
 * @returns {boolean}
 */
function boxesMeet(a, b) {
  return [0, 1].every((axis) => {
    const [some, others] = [a.map((point) => point[axis]), b.map((point) => point[axis])];
    return Math.min(...some) <= Math.max(...others) && Math.min(...others) <= Math.max(...some);
  });
}

/**
 * Tell whether two lines have a segment each that cross or touch.
 * @param {Stroke} a
 * @param {Stroke} b
 * @returns {boolean}
 */
function doCross(a, b) {
  for (let i = 0; i + 1 < a.length; i++) {
    for (let k = 0; k + 1 < b.length; k++) {
      const [one, other] = [sideOf(a, i, b[k]), sideOf(a, i, b[k + 1])];
      if (one * other > 0 || (one === 0 && other === 0)) continue; // on one straight line they do not cross
      if (sideOf(b, k, a[i]) * sideOf(b, k, a[i + 1]) <= 0) return true;
    }
  }
  return false;
}

/**
 * @param {Stroke} line
 * @param {number} segment
 * @param {import("./raster.js").Point} point
 * @returns {number} whose sign says on which side of the segment the point is
 */
function sideOf(line, segment, [x, y]) {
  const [start, end] = [line[segment], line[segment + 1]];
  return (end[0] - start[0]) * (y - start[1]) - (end[1] - start[1]) * (x - start[0]);
}

/**
 * Measure how far a line reaches to the right of another at the same height: greatest at a point of either.
 * @param {Stroke} left
 * @param {Stroke} right
 * @returns {number}
 */
function overlapOf(left, right) {
  return Math.max(beyond(left, right, 1), beyond(right, left, -1));
}

/**
 * Measure how far points lie beyond a line at their height.
 * @param {Stroke} points
 * @param {Stroke} line
 * @param {1 | -1} sign 1: to the right
 * @returns {number}
 */
function beyond(points, line, sign) {
  let most = -Infinity;
  for (const [x, y] of points) {
    for (let k = 0; k + 1 < line.length; k++) {
      const [start, end] = [line[k], line[k + 1]];
      if (y < Math.min(start[1], end[1]) || y > Math.max(start[1], end[1])) continue;
      const rise = end[1] - start[1];
      const share = rise === 0 ? 0 : (y - start[1]) / rise;
      most = Math.max(most, sign * (x - (start[0] + share * (end[0] - start[0]))));
    }
  }
  return most;
}
