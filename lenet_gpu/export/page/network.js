/**
 * LeNet-5 (LeCun et al. 1998, section II.B), one image at a time; follows lenet_gpu/nn/layers.py.
 *
 * C1, C3 and C5 convolve with 5x5 kernels, S2 and S4 add up 2x2 units, F6 is connected to all of C5. Every unit is
 * squashed. The output is a linear layer before softmax, or the paper's distances from ten fixed codes.
 */

/**
 * @typedef {object} Network
 * @property {Record<string, Float32Array>} parameters by name, in the order of lenet_gpu's `LeNet5.views`
 * @property {number[][]} table for each map of C3 the maps of S2 that feed it
 * @property {number[][] | null} codes the centres of the paper's output, null with softmax
 * @property {number} classes
 * @property {number} background input value of an empty pixel
 * @property {number} ink input value of a full pixel
 * @property {number} squashA amplitude of the squashing function A tanh(S x)
 * @property {number} squashS its slope
 *
 * @typedef {object} Layer values of one layer, map after map, row after row
 * @property {number} maps
 * @property {number} side of a map; 1 for single units
 * @property {Float64Array} values
 *
 * @typedef {Record<"input" | "c1" | "s2" | "c3" | "s4" | "c5" | "f6" | "output", Layer>} Activations
 */

export const KERNEL = 5;
const PADDING = 2;
const IMAGE = 28;

/**
 * Compute the values of every layer.
 * @param {Network} network
 * @param {Uint8Array} field 28x28 pixels
 * @returns {Activations}
 */
export function activations(network, field) {
  const { parameters: p } = network;
  const squash = (/** @type {Layer} */ layer) => squashed(layer, network.squashA, network.squashS);
  const input = inputLayer(network, field); // 1 x 32 x 32
  const c1 = squash(convolved(input, p["c1.weight"], p["c1.bias"], p["c1.bias"].length, null)); // 6 x 28 x 28
  const s2 = squash(subsampled(c1, p["s2.coefficient"], p["s2.bias"])); // 6 x 14 x 14
  const c3 = squash(convolved(s2, p["c3.weight"], p["c3.bias"], network.table.length, network.table)); // 16 x 10 x 10
  const s4 = squash(subsampled(c3, p["s4.coefficient"], p["s4.bias"])); // 16 x 5 x 5
  const c5 = squash(connected(s4, p["c5.weight"], p["c5.bias"])); // 120
  const f6 = squash(connected(c5, p["f6.weight"], p["f6.bias"])); // 84
  const output = network.codes
    ? negatedDistances(f6, network.codes)
    : connected(f6, p["output.weight"], p["output.bias"]);
  return { input, c1, s2, c3, s4, c5, f6, output };
}

/**
 * @param {Layer} layer changed in place
 * @param {number} amplitude
 * @param {number} slope
 * @returns {Layer} the same
 */
function squashed(layer, amplitude, slope) {
  const { values } = layer;
  for (let k = 0; k < values.length; k++) values[k] = amplitude * Math.tanh(slope * values[k]);
  return layer;
}

/**
 * Scale the pixels and put a margin of background around them.
 * @param {Network} network
 * @param {Uint8Array} field
 * @returns {Layer}
 */
function inputLayer(network, field) {
  const side = IMAGE + 2 * PADDING;
  const values = new Float64Array(side * side).fill(network.background);
  const unit = (network.ink - network.background) / 255;
  for (let y = 0; y < IMAGE; y++) {
    for (let x = 0; x < IMAGE; x++) {
      values[(y + PADDING) * side + x + PADDING] = network.background + unit * field[y * IMAGE + x];
    }
  }
  return { maps: 1, side, values };
}

/**
 * @param {Layer} below
 * @param {Float32Array} weight a kernel for each connected pair of maps, those of one map one after the other
 * @param {Float32Array} bias
 * @param {number} maps
 * @param {number[][] | null} table which maps below feed each map; null: all
 * @returns {Layer} before squashing
 */
function convolved(below, weight, bias, maps, table) {
  const from = below.side;
  const side = from - KERNEL + 1;
  const values = new Float64Array(maps * side * side);
  const all = Array.from({ length: below.maps }, (_, k) => k);
  let kernel = 0;
  for (let map = 0; map < maps; map++) {
    const start = map * side * side;
    values.fill(bias[map], start, start + side * side);
    for (const source of table ? table[map] : all) {
      for (let v = 0; v < KERNEL; v++, kernel += KERNEL) {
        addRow(values, start, side, below.values, (source * from + v) * from, from, weight, kernel);
      }
    }
  }
  return { maps, side, values };
}

/**
 * Add to a map what one row of a kernel makes of the map below. Five neighbours are held while the row is gone along,
 * so that each is fetched once: the first reading is done by code that is not translated yet, where fetching is dear.
 * @param {Float64Array} values changed in place
 * @param {number} to where the map begins
 * @param {number} side of it
 * @param {Float64Array} below
 * @param {number} at where the row of the map below begins that feeds the map's first
 * @param {number} stride side of the map below
 * @param {Float32Array} weight
 * @param {number} kernel where the kernel's row begins
 */
function addRow(values, to, side, below, at, stride, weight, kernel) {
  const w0 = weight[kernel];
  const w1 = weight[kernel + 1];
  const w2 = weight[kernel + 2];
  const w3 = weight[kernel + 3];
  const w4 = weight[kernel + 4];
  for (let y = 0; y < side; y++, to += side, at += stride) {
    let a = below[at];
    let b = below[at + 1];
    let c = below[at + 2];
    let d = below[at + 3];
    for (let x = 0; x < side; x++) {
      const e = below[at + 4 + x];
      values[to + x] = values[to + x] + w0 * a + w1 * b + w2 * c + w3 * d + w4 * e;
      a = b;
      b = c;
      c = d;
      d = e;
    }
  }
}

/**
 * @param {Layer} below
 * @param {Float32Array} coefficient of each map
 * @param {Float32Array} bias
 * @returns {Layer} before squashing
 */
function subsampled(below, coefficient, bias) {
  const side = below.side / 2;
  const values = new Float64Array(below.maps * side * side);
  for (let map = 0; map < below.maps; map++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const at = (map * below.side + 2 * y) * below.side + 2 * x;
        const four = below.values[at] + below.values[at + 1]
          + below.values[at + below.side] + below.values[at + below.side + 1];
        values[(map * side + y) * side + x] = coefficient[map] * four + bias[map];
      }
    }
  }
  return { maps: below.maps, side, values };
}

/**
 * @param {Layer} below
 * @param {Float32Array} weight for each unit one weight an input
 * @param {Float32Array} bias
 * @returns {Layer} before squashing
 */
function connected(below, weight, bias) {
  const inputs = below.values;
  const values = Float64Array.from(bias);
  for (let unit = 0, at = 0; unit < values.length; unit++) {
    let sum = 0;
    for (let k = 0; k < inputs.length; k++, at++) sum += weight[at] * inputs[k];
    values[unit] += sum;
  }
  return { maps: values.length, side: 1, values };
}

/**
 * @param {Layer} below F6
 * @param {number[][]} codes
 * @returns {Layer} of each class the squared distance from its code, below zero: the least penalty is the greatest
 */
function negatedDistances(below, codes) {
  const values = Float64Array.from(codes, (code) =>
    -code.reduce((sum, cell, k) => sum + (below.values[k] - cell) ** 2, 0));
  return { maps: values.length, side: 1, values };
}
