/** What is no digit, and why; follows lenet_gpu/recognition/rejection.py. */

/**
 * @typedef {object} Rejection how the F6 units of the training set scatter
 * @property {Float32Array} means mean of each class, in units of the squashing function's amplitude
 * @property {Float32Array} precision inverse of the scatter that all classes share
 * @property {number} limit largest squared distance of a digit
 *
 * @typedef {object} RejectionRules
 * @property {number} CONFIDENCE_FLOOR
 * @property {number} UNDECIDED
 * @property {number} GRAIN
 * @property {number} SOME_GRAIN
 * @property {string} UNDECIDED_BETWEEN
 */

/**
 * Compute the squared Mahalanobis distance to the nearest class' mean.
 * @param {Rejection} rejection
 * @param {Float64Array} f6 in units of the squashing function's amplitude
 * @returns {number}
 */
export function distanceOf(rejection, f6) {
  const units = f6.length;
  const away = new Float64Array(units);
  let nearest = Infinity;
  for (let start = 0; start < rejection.means.length; start += units) {
    for (let k = 0; k < units; k++) away[k] = f6[k] - rejection.means[start + k];
    let distance = 0;
    for (let i = 0; i < units; i++) {
      let sum = 0;
      for (let k = 0; k < units; k++) sum += rejection.precision[i * units + k] * away[k];
      distance += sum * away[i];
    }
    nearest = Math.min(nearest, distance);
  }
  return nearest;
}

/**
 * Count 2x2 windows with ink in two opposite corners and none in the others: grains touch like this, strokes do not.
 * @param {Uint8Array} field
 * @param {number} side
 * @returns {number}
 */
export function grainOf(field, side) {
  const inked = (/** @type {number} */ y, /** @type {number} */ x) => field[y * side + x] > 127;
  let count = 0;
  for (let y = 0; y + 1 < side; y++) {
    for (let x = 0; x + 1 < side; x++) {
      const corner = inked(y, x);
      const beside = inked(y, x + 1);
      if (corner !== beside && corner === inked(y + 1, x + 1) && beside === inked(y + 1, x)) count++;
    }
  }
  return count;
}

/**
 * Say why an image is not a digit.
 * @param {number[]} probabilities
 * @param {number} distance of its F6 units; 0 if unknown
 * @param {number} limit largest distance of a digit; Infinity if unknown
 * @param {RejectionRules} rules
 * @returns {string} "undecided between a and b", "unlike any digit", or nothing if it is one
 */
export function decide(probabilities, distance, limit, rules) {
  const order = probabilities.map((_, k) => k).sort((a, b) => probabilities[b] - probabilities[a]);
  const [best, second] = order;
  if (probabilities[best] < rules.CONFIDENCE_FLOOR) {
    if (probabilities[second] >= rules.UNDECIDED) {
      return `${rules.UNDECIDED_BETWEEN} ${Math.min(best, second)} and ${Math.max(best, second)}`;
    }
    return "unlike any digit";
  }
  return distance > limit ? "unlike any digit" : "";
}
