/** From strokes to answers; follows lenet_gpu/recognition/recognizer.py. */
import { activations } from "./network.js";
import { indexOfGreatest, softmax } from "./numbers.js";
import { strokesToField } from "./raster.js";
import { decide, distanceOf, grainOf } from "./rejection.js";
import { isBar, split } from "./segmentation.js";
import { linesOfStrokes } from "./stroke_lines.js";

/**
 * @typedef {import("./raster.js").Stroke} Stroke
 * @typedef {import("./network.js").Network} Network
 *
 * @typedef {object} Model a trained network and what the answers need beside it
 * @property {Network} network
 * @property {import("./rejection.js").Rejection | null} rejection
 * @property {number} temperature what the outputs are divided by before softmax
 * @property {string[]} labels what the classes are called
 * @property {boolean} readsDigits whether the classes are the ten digits: what is none is refused, numbers are read
 *
 * @typedef {object} Rules constants of lenet_gpu, by the module that they come from
 * @property {import("./raster.js").RasterRules} raster
 * @property {import("./rejection.js").RejectionRules} rejection
 * @property {import("./segmentation.js").SegmentationRules} segmentation
 * @property {import("./cuts.js").CutRules} cuts
 * @property {import("./stroke_row.js").RowRules} stroke_row
 * @property {import("./signs.js").SignRules} signs
 * @property {import("./stroke_lines.js").LineRules} stroke_lines
 * @property {{MOST_STROKES: number, MOST_POINTS: number, SIGNS: Record<string, string>, IN_WORDS: string[]}} recognizer
 * @property {{SURE: number, RIVAL: number, NOT_READ: string}} answers
 *
 * @typedef {object} Prediction
 * @property {number} best the most probable class
 * @property {number[]} probabilities
 * @property {boolean} isDigit false where there is nothing that the network reads
 * @property {string} reason why not, in the words of lenet_gpu; empty otherwise
 * @property {Uint8Array} field the 28x28 pixels that the network saw
 * @property {number[]} strokes indices of its strokes
 * @property {string} sign "-", "." or "," where a mark among digits is one of these; empty otherwise
 * @property {number} line number of the line that it is in, from the top
 *
 * @typedef {object} Seen what the network says of one field
 * @property {Uint8Array} field
 * @property {number[]} probabilities
 * @property {number} distance
 */

/** More strokes or points than are read. */
export class TooMuch extends Error {}

/** Readings that are kept for strokes that do not change while others are drawn. */
const KEPT = 4000;

export class Recognizer {
  /**
   * @param {Model} model
   * @param {Rules} rules
   */
  constructor(model, rules) {
    this.model = model;
    this.rules = rules;
    /** @type {Map<string, Seen>} what runs of strokes were read as, by the numbers of their strokes */
    this.seen = new Map();
    /** @type {WeakMap<Stroke, number>} a number for each stroke that was read */
    this.numbers = new WeakMap();
    this.count = 0;
    /** @type {{field: Uint8Array, values: import("./network.js").Activations} | null} what was looked at last */
    this.last = null;
  }

  /**
   * Read a picture that is in MNIST's form already.
   * @param {Uint8Array} field
   * @returns {Prediction}
   */
  readField(field) {
    return this.judged(this.look(field), "", []);
  }

  /**
   * Read one digit.
   * @param {Stroke[]} strokes none of them empty
   * @returns {Prediction}
   * @throws {TooMuch}
   */
  readStrokes(strokes) {
    const { raster, segmentation } = this.rules;
    const points = strokes.flat();
    if (points.length > raster.MOST_POINTS) throw new TooMuch("points");
    const isSpeck = points.length > 0 && points.every(([x, y]) => x === points[0][0] && y === points[0][1]);
    const isBars = strokes.length > 0 && strokes.every((stroke) => isBar(stroke, segmentation));
    const field = strokesToField(strokes, raster);
    const reason = isSpeck ? "speck" : isBars ? "bars" : this.reasonOfLines(strokes);
    return this.judged(this.look(field), reason, strokes.map((_, k) => k));
  }

  /**
   * @param {Stroke[]} strokes
   * @returns {string} "two lines" where strokes are written one above the other; empty otherwise
   */
  reasonOfLines(strokes) {
    const { MOST_STROKES, IN_WORDS } = this.rules.recognizer;
    if (strokes.length < 2 || strokes.length > MOST_STROKES) return "";
    const lines = linesOfStrokes(strokes, this.rules.stroke_lines).length;
    return lines > 1 ? `${IN_WORDS[lines] ?? lines} lines` : "";
  }

  /**
   * Read the digits of a number, written side by side.
   * @param {Stroke[]} strokes at least one, none of them empty; not changed in place once they were read
   * @returns {Prediction[]} from left to right
   * @throws {TooMuch}
   */
  readNumber(strokes) {
    const { MOST_STROKES, MOST_POINTS } = this.rules.recognizer;
    if (strokes.length > MOST_STROKES) throw new TooMuch("strokes");
    if (strokes.reduce((sum, stroke) => sum + stroke.length, 0) > MOST_POINTS) throw new TooMuch("points");
    const seenOf = (/** @type {number[]} */ members) => this.lookAt(members.map((k) => strokes[k]));
    const read = (/** @type {number[]} */ members) =>
      Math.log(Math.max(...seenOf(members).probabilities, 1e-9));
    const { SIGNS } = this.rules.recognizer;
    return split(strokes, read, this.rules).map(({ strokes: members, reason, sign, line }) =>
      ({ ...this.judged(seenOf(members), SIGNS[sign] ?? reason, members), sign, line }));
  }

  /**
   * Look at some strokes as one digit, and remember what was seen.
   * @param {Stroke[]} strokes
   * @returns {Seen}
   */
  lookAt(strokes) {
    const key = strokes.map((stroke) => this.numberOf(stroke)).join();
    let seen = this.seen.get(key);
    if (!seen) {
      seen = this.look(strokesToField(strokes, this.rules.raster));
      if (this.seen.size >= KEPT) this.seen.clear();
      this.seen.set(key, seen);
    }
    return seen;
  }

  /**
   * @param {Stroke} stroke
   * @returns {number} its number, the same at every reading
   */
  numberOf(stroke) {
    let number = this.numbers.get(stroke);
    if (number === undefined) this.numbers.set(stroke, (number = this.count++));
    return number;
  }

  /**
   * @param {Uint8Array} field
   * @returns {Seen}
   */
  look(field) {
    const { network, rejection, temperature } = this.model;
    const values = activations(network, field);
    const { output, f6 } = values;
    this.last = { field, values };
    const probabilities = softmax(output.values, temperature);
    const distance = rejection ? distanceOf(rejection, f6.values.map((value) => value / network.squashA)) : 0;
    return { field, probabilities, distance };
  }

  /**
   * @param {Uint8Array} field
   * @returns {import("./network.js").Activations} what every layer says of it
   */
  valuesOf(field) {
    return this.last?.field === field ? this.last.values : activations(this.model.network, field);
  }

  /**
   * Decide whether a picture is a digit, and why not: the one place where that is done.
   * @param {Seen} seen
   * @param {string} reason why it is known not to be one
   * @param {number[]} strokes
   * @returns {Prediction}
   */
  judged({ field, probabilities, distance }, reason, strokes) {
    const { rejection, raster } = this.rules;
    if (!field.some(Boolean)) reason ||= "blank";
    else if (!this.model.readsDigits) reason = "";
    else if (!reason) {
      const fitted = this.model.rejection;
      reason = decide(probabilities, distance, fitted ? fitted.limit : Infinity, rejection);
      const grain = grainOf(field, raster.SIDE);
      // A model that was taught what is no digit knows noise by itself; another one needs to be told.
      if (grain > (fitted || reason ? rejection.SOME_GRAIN : rejection.GRAIN)) reason = "noise";
    }
    const best = indexOfGreatest(probabilities);
    return { best, probabilities, isDigit: !reason, reason, field, strokes, sign: "", line: 0 };
  }
}
