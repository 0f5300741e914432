/** The model as it lies in the page: facts in JSON, arrays as bytes in base64. */

/**
 * @typedef {object} ModelData what lenet_gpu/export/html.py writes, see `model_data` there
 * @property {number} classes
 * @property {string[]} labels
 * @property {boolean} readsDigits
 * @property {number} background
 * @property {number} ink
 * @property {number} squashA
 * @property {number} squashS
 * @property {number[][]} table
 * @property {number[][] | null} codes
 * @property {number} temperature
 * @property {number | null} limit
 * @property {[string, "int16" | "float32", number][]} arrays name, kind and length of each
 * @property {string} bytes
 */

/**
 * Take the model out of its data.
 * @param {ModelData} data
 * @returns {import("./recognizer.js").Model}
 */
export function modelOf(data) {
  const arrays = arraysOf(data);
  /** @type {Record<string, Float32Array>} */
  const parameters = {};
  for (const [name, array] of Object.entries(arrays)) {
    if (name.endsWith(".step")) continue;
    const step = arrays[`${name}.step`];
    parameters[name] = step ? unitByUnit(array, step) : /** @type {Float32Array} */ (array);
  }
  const { means, precision, ...rest } = parameters;
  const { classes, labels, readsDigits, temperature, background, ink, squashA, squashS, table, codes, limit } = data;
  return {
    network: { parameters: rest, table, codes, classes, background, ink, squashA, squashS },
    rejection: limit === null ? null : { means, precision, limit },
    temperature, labels, readsDigits,
  };
}

/**
 * @param {ModelData} data
 * @returns {Record<string, Int16Array | Float32Array>} the arrays by name; bytes are little-endian, as every browser's
 */
function arraysOf(data) {
  const bytes = bytesOf(data.bytes);
  /** @type {Record<string, Int16Array | Float32Array>} */
  const arrays = {};
  let start = 0;
  for (const [name, kind, length] of data.arrays) {
    const end = start + length * (kind === "int16" ? 2 : 4);
    const own = bytes.slice(start, end).buffer; // a copy, which begins at a multiple of every size
    arrays[name] = kind === "int16" ? new Int16Array(own) : new Float32Array(own);
    start = end;
  }
  return arrays;
}

/**
 * @param {string} letters base64
 * @returns {Uint8Array}
 */
function bytesOf(letters) {
  const { fromBase64 } = /** @type {any} */ (Uint8Array); // browsers since 2025 know it
  if (fromBase64) return fromBase64.call(Uint8Array, letters);
  const text = atob(letters);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < bytes.length; k++) bytes[k] = text.charCodeAt(k);
  return bytes;
}

/**
 * @param {ArrayLike<number>} whole weights in steps, unit after unit
 * @param {ArrayLike<number>} step of each unit
 * @returns {Float32Array} the weights
 */
function unitByUnit(whole, step) {
  const inputs = whole.length / step.length;
  const weights = new Float32Array(whole.length);
  for (let unit = 0, k = 0; unit < step.length; unit++) {
    for (const end = k + inputs; k < end; k++) weights[k] = whole[k] * step[unit];
  }
  return weights;
}
