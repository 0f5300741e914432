/** Small arithmetic that the other files share, and that follows NumPy's rules where these differ from JavaScript's. */

/**
 * Round to the nearest whole number, and halves to the even one, as np.rint does.
 * @param {number} x
 * @returns {number}
 */
export function rint(x) {
  const below = Math.floor(x);
  const above = x - below;
  if (above !== 0.5) return above < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/**
 * @param {number} x
 * @param {number} least
 * @param {number} most
 * @returns {number} x, moved into least..most
 */
export function clip(x, least, most) {
  return Math.min(Math.max(x, least), most);
}

/**
 * @param {ArrayLike<number>} values at least one
 * @returns {number} the index of the greatest, the first of several
 */
export function indexOfGreatest(values) {
  let best = 0;
  for (let k = 1; k < values.length; k++) if (values[k] > values[best]) best = k;
  return best;
}

/**
 * @param {number[]} values at least one
 * @returns {number} the middle one, or the mean of the two in the middle
 */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/**
 * List evenly spaced numbers, both ends included.
 * @param {number} first
 * @param {number} last
 * @param {number} count
 * @returns {number[]}
 */
export function evenly(first, last, count) {
  const step = count > 1 ? (last - first) / (count - 1) : 0;
  const places = Array.from({ length: count }, (_, k) => first + k * step);
  if (count > 1) places[count - 1] = last;
  return places;
}

/**
 * Interpolate a value between known ones along a line, at places in ascending order.
 * @param {number[]} at where
 * @param {number[]} along where the values are known, ascending
 * @param {number[]} values
 * @returns {number[]}
 */
export function interpolate(at, along, values) {
  const last = along.length - 1;
  let k = 0;
  return at.map((place) => {
    if (place >= along[last]) return values[last];
    while (k < last - 1 && along[k + 1] <= place) k++;
    const share = (place - along[k]) / (along[k + 1] - along[k]);
    return values[k] + share * (values[k + 1] - values[k]);
  });
}

/**
 * @param {number} x log-odds
 * @returns {number} the logarithm of their probability
 */
export function logSigmoid(x) {
  return x >= 0 ? -Math.log1p(Math.exp(-x)) : x - Math.log1p(Math.exp(x));
}

/**
 * Turn logarithms of odds into probabilities.
 * @param {ArrayLike<number>} scores
 * @param {number} temperature what they are divided by first
 * @returns {number[]} probabilities that sum to 1
 */
export function softmax(scores, temperature) {
  const greatest = scores[indexOfGreatest(scores)];
  const powers = Array.from(scores, (score) => Math.exp((score - greatest) / temperature));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
