/**
 * Pen strokes to the 28x28 pixels that the network reads; follows lenet_gpu/ink/raster.py and preprocess.py.
 *
 * All that is drawn with a round pen along a piece of a stroke is a capsule. A pixel's ink follows from its distance
 * to the nearest piece. Sums of 32-bit numbers are rounded to 32 bits (Math.fround) where NumPy does it.
 */
import { clip, evenly, interpolate, rint } from "./numbers.js";

/**
 * @typedef {[number, number]} Point x right, y down
 * @typedef {Point[]} Stroke
 * @typedef {object} RasterRules
 * @property {number} BOX longer side of the ink in pixels
 * @property {number} SIDE side of the field
 * @property {number} WIDTH full width of the pen
 * @property {number} SOFTNESS width of its edge
 * @property {number} PIECE longest piece of a stroke
 * @property {number} FINEST mean distance of points below which a stroke is resampled
 * @property {number} MANY points that a stroke may have in any case
 * @property {number} MOST_POINTS points of one digit
 * @property {number} FAR squared distance of a pixel that no stroke comes near
 */

const f32 = Math.fround;

/**
 * Bring one digit's strokes into MNIST's form.
 * @param {Stroke[]} strokes none of them empty
 * @param {RasterRules} rules
 * @returns {Uint8Array} SIDE x SIDE pixels, ink 255 on 0
 */
export function strokesToField(strokes, rules) {
  const { BOX, SIDE } = rules;
  const field = new Uint8Array(SIDE * SIDE);
  if (!strokes.length) return field;
  const ink = drawnInk(strokes, rules);
  const full = f32(255 / greatestOf(ink));
  for (let k = 0; k < ink.length; k++) ink[k] *= full;
  const rows = new Float64Array(BOX);
  const columns = new Float64Array(BOX);
  for (let y = 0; y < BOX; y++) {
    for (let x = 0; x < BOX; x++) {
      rows[y] += ink[y * BOX + x];
      columns[x] += ink[y * BOX + x];
    }
  }
  const top = cornerOf(rows, SIDE);
  const left = cornerOf(columns, SIDE);
  for (let y = 0; y < BOX; y++) {
    for (let x = 0; x < BOX; x++) field[(top + y) * SIDE + left + x] = rint(ink[y * BOX + x]);
  }
  return field;
}

/**
 * Find where along an axis of the field the first pixel goes, so that the centre of mass comes to the middle.
 * @param {Float64Array} profile mass of each row or column
 * @param {number} side of the field
 * @returns {number}
 */
function cornerOf(profile, side) {
  let mass = 0;
  let moment = 0;
  profile.forEach((each, k) => {
    mass += each;
    moment += each * k;
  });
  // A symmetric digit's centre lies between two pixels: the last bit must not decide which of them it gets.
  return clip(Math.floor(side / 2 - moment / mass + 0.5 - 1e-4), 0, side - profile.length);
}

/**
 * @param {Float32Array} values
 * @returns {number}
 */
function greatestOf(values) {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

/**
 * Draw strokes as large as they fit the box, aspect kept, in its middle.
 * @param {Stroke[]} strokes
 * @param {RasterRules} rules
 * @returns {Float32Array} BOX x BOX, share of ink in each pixel
 */
function drawnInk(strokes, rules) {
  const { BOX, WIDTH, SOFTNESS } = rules;
  const reach = (WIDTH + SOFTNESS) / 2; // from the middle of a line to where its ink ends
  const scaled = fitted(strokes, BOX, reach).map((stroke) => thinned(stroke, rules));
  const margin = Math.ceil(2 * reach + rules.PIECE) + 1; // windows may reach over the edge of the box
  const side = BOX + 2 * margin;
  const squares = squaredDistances(scaled, BOX / 2 + margin, side, reach, rules);
  const half = f32(f32(WIDTH) / 2);
  const softness = f32(SOFTNESS);
  const ink = new Float32Array(BOX * BOX);
  for (let y = 0; y < BOX; y++) {
    for (let x = 0; x < BOX; x++) {
      const distance = f32(Math.sqrt(squares[(y + margin) * side + x + margin]));
      ink[y * BOX + x] = clip(f32(f32(f32(half - distance) / softness) + 0.5), 0, 1);
    }
  }
  return ink;
}

/**
 * Move strokes about the origin and scale them to the box; what has no extent becomes a dot.
 * @param {Stroke[]} strokes
 * @param {number} box
 * @param {number} reach
 * @returns {Stroke[]}
 */
function fitted(strokes, box, reach) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (const point of strokes.flat()) {
    for (const axis of [0, 1]) {
      low[axis] = Math.min(low[axis], point[axis]);
      high[axis] = Math.max(high[axis], point[axis]);
    }
  }
  const extent = Math.max(high[0] - low[0], high[1] - low[1]);
  const farthest = Math.max(...low.map(Math.abs), ...high.map(Math.abs));
  const isDot = extent <= Math.max(farthest * 1e-12, 1e-290);
  const scale = isDot ? 0 : Math.max(box - 2 * reach, 1) / extent;
  const middle = [low[0] + (high[0] - low[0]) / 2, low[1] + (high[1] - low[1]) / 2];
  return strokes.map((stroke) => stroke.map(([x, y]) => [(x - middle[0]) * scale, (y - middle[1]) * scale]));
}

/**
 * Resample a stroke that has far more points than pixels can show.
 * @param {Stroke} stroke in pixels
 * @param {RasterRules} rules
 * @returns {Stroke}
 */
function thinned(stroke, rules) {
  if (stroke.length <= rules.MANY) return stroke;
  const along = wayAlong(stroke);
  const count = Math.ceil(along[along.length - 1] / rules.FINEST) + 1;
  if (stroke.length <= count) return stroke;
  return resampled(stroke, along, count);
}

/**
 * @param {Stroke} stroke
 * @returns {number[]} the way from the first point to each
 */
export function wayAlong(stroke) {
  const along = [0];
  for (let k = 1; k < stroke.length; k++) {
    along.push(along[k - 1] + Math.hypot(stroke[k][0] - stroke[k - 1][0], stroke[k][1] - stroke[k - 1][1]));
  }
  return along;
}

/**
 * Take evenly spaced points along a stroke.
 * @param {Stroke} stroke
 * @param {number[]} along from `wayAlong`
 * @param {number} count
 * @returns {Stroke}
 */
export function resampled(stroke, along, count) {
  const at = evenly(0, along[along.length - 1], count);
  const xs = interpolate(at, along, stroke.map((point) => point[0]));
  const ys = interpolate(at, along, stroke.map((point) => point[1]));
  return xs.map((x, k) => [x, ys[k]]);
}

/**
 * Compute each pixel's squared distance to the nearest piece of a stroke, as far as it matters.
 * @param {Stroke[]} strokes in pixels about the origin
 * @param {number} middle where the origin lies in the field
 * @param {number} side of the field
 * @param {number} reach distances above it do not matter
 * @param {RasterRules} rules
 * @returns {Float32Array} side x side; pixel (i, j) has its centre at (x, y) = (j + 1/2, i + 1/2)
 */
function squaredDistances(strokes, middle, side, reach, rules) {
  const squares = new Float32Array(side * side).fill(rules.FAR);
  const window = Math.ceil(2 * reach + rules.PIECE) + 1; // pixels whose centres can be within reach
  for (const stroke of strokes) {
    const last = stroke.length - 1;
    for (let k = 0; k < Math.max(last, 1); k++) {
      const [startX, startY] = stroke[k];
      const [endX, endY] = stroke[Math.min(k + 1, last)];
      const length = Math.hypot(endX - startX, endY - startY);
      const pieces = Math.max(Math.ceil(length / rules.PIECE - 1e-9), 1);
      const stepX = (endX - startX) / pieces;
      const stepY = (endY - startY) / pieces;
      for (let piece = 0; piece < pieces; piece++) {
        const x = startX + stepX * piece + middle;
        const y = startY + stepY * piece + middle;
        nearer(squares, side, window, reach, x, y, x + stepX, y + stepY);
      }
    }
  }
  return squares;
}

/**
 * Lower the squared distances around one piece.
 * @param {Float32Array} squares changed in place
 * @param {number} side
 * @param {number} window
 * @param {number} reach
 * @param {number} startX
 * @param {number} startY
 * @param {number} endX
 * @param {number} endY
 */
function nearer(squares, side, window, reach, startX, startY, endX, endY) {
  const left = Math.ceil(Math.min(startX, endX) - reach - 0.5); // first pixel whose centre is in reach
  const top = Math.ceil(Math.min(startY, endY) - reach - 0.5);
  const cornerX = f32(left + 0.5 - startX); // its centre, seen from the piece's start
  const cornerY = f32(top + 0.5 - startY);
  const dx = f32(endX - startX);
  const dy = f32(endY - startY);
  const squared = Math.max(f32(f32(dx * dx) + f32(dy * dy)), f32(1e-20));
  for (let row = 0; row < window; row++) {
    const y = f32(cornerY + row);
    const ofRow = f32(y * dy);
    let at = (top + row) * side + left;
    for (let column = 0; column < window; column++, at++) {
      const x = f32(cornerX + column);
      // Where along the piece the nearest point lies.
      const share = Math.min(Math.max(f32(f32(f32(x * dx) + ofRow) / squared), 0), 1);
      const awayX = f32(x - f32(share * dx));
      const awayY = f32(y - f32(share * dy));
      const distance = f32(f32(awayX * awayX) + f32(awayY * awayY));
      if (distance < squares[at]) squares[at] = distance;
    }
  }
}
