/** One unit of the network taken apart: what feeds it, and how much; follows app/explain.py. */
import { KERNEL } from "./network.js";

/**
 * @typedef {import("./network.js").Network} Network
 * @typedef {import("./network.js").Activations} Activations
 * @typedef {"input" | "c1" | "s2" | "c3" | "s4" | "c5" | "f6"} LayerName
 * @typedef {{layer: LayerName, map: number, row: number, column: number}} Unit row and column are 0 of single units
 *
 * @typedef {object} Source what one map, or one unit, of the layer below contributes to a unit
 * @property {Unit} from the first unit of the patch
 * @property {number} side of the patch; 1 for a single unit
 * @property {number[]} inputs
 * @property {number[]} weights
 * @property {number} contribution sum of inputs x weights
 *
 * @typedef {object} Explanation sum = contributions + rest + bias; value = the squashed sum
 * @property {Source[]} sources of C5 and F6 the strongest alone
 * @property {number} rest contribution of all others
 * @property {number} bias
 * @property {number} sum
 * @property {number} value
 */

/** Sources that are listed of a unit that is connected to all of the layer below. */
const STRONGEST = 10;

/** @type {LayerName[]} from the picture up */
export const LAYERS = ["input", "c1", "s2", "c3", "s4", "c5", "f6"];

/**
 * @param {Network} network
 * @param {Activations} values
 * @param {Unit} unit of C1 to F6
 * @returns {Explanation}
 */
export function explainUnit(network, values, unit) {
  const { layer, map } = unit;
  const every = sourcesOf(network, values, unit);
  const bias = network.parameters[`${layer}.bias`][map];
  const sum = every.reduce((total, source) => total + source.contribution, bias);
  const listsAll = layer !== "c5" && layer !== "f6";
  const size = (/** @type {Source} */ source) => Math.abs(source.contribution);
  const sources = listsAll ? every : [...every].sort((a, b) => size(b) - size(a)).slice(0, STRONGEST);
  const rest = sum - bias - sources.reduce((total, source) => total + source.contribution, 0);
  return { sources, rest: listsAll ? 0 : rest, bias, sum, value: valueOf(values, unit) };
}

/**
 * @param {Activations} values
 * @param {Unit} unit
 * @returns {number}
 */
export function valueOf(values, { layer, map, row, column }) {
  const { side, values: all } = values[layer];
  return all[(map * side + row) * side + column];
}

/**
 * @param {Network} network
 * @param {Activations} values
 * @param {Unit} unit
 * @returns {Source[]}
 */
function sourcesOf(network, values, { layer, map, row, column }) {
  const { parameters, table } = network;
  const below = LAYERS[LAYERS.indexOf(layer) - 1];
  if (layer === "s2" || layer === "s4") {
    const from = { layer: below, map, row: 2 * row, column: 2 * column };
    return [source(values, from, 2, new Array(4).fill(parameters[`${layer}.coefficient`][map]))];
  }
  const weight = parameters[`${layer}.weight`];
  if (layer === "f6") {
    const inputs = values[below].maps;
    return Array.from({ length: inputs }, (_, k) =>
      source(values, { layer: below, map: k, row: 0, column: 0 }, 1, [weight[map * inputs + k]]));
  }
  const maps = layer === "c3" ? table[map] : Array.from({ length: values[below].maps }, (_, k) => k);
  const before = layer === "c3" ? table.slice(0, map).flat().length : map * maps.length;
  return maps.map((place, k) => {
    const start = (before + k) * KERNEL * KERNEL;
    const kernel = Array.from(weight.subarray(start, start + KERNEL * KERNEL));
    return source(values, { layer: below, map: place, row, column }, KERNEL, kernel);
  });
}

/**
 * @param {Activations} values
 * @param {Unit} from
 * @param {number} side
 * @param {number[]} weights
 * @returns {Source}
 */
function source(values, from, side, weights) {
  const inputs = weights.map((_, k) =>
    valueOf(values, { ...from, row: from.row + Math.floor(k / side), column: from.column + (k % side) }));
  const contribution = inputs.reduce((sum, input, k) => sum + input * weights[k], 0);
  return { from, side, inputs, weights, contribution };
}
