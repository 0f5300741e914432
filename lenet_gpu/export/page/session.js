/** What is drawn, and what it was read as; follows app/session.py. */
import { BLANK, SEVERAL, TOO_MUCH, answerOf, numberAnswer } from "./answer.js";
import { TooMuch } from "./recognizer.js";

/**
 * @typedef {import("./raster.js").Stroke} Stroke
 * @typedef {import("./recognizer.js").Prediction} Prediction
 *
 * @typedef {object} Reading
 * @property {import("./answer.js").Answer} answer
 * @property {Prediction[]} predictions one for a digit, several for a number, none of a blank canvas
 * @property {number} chosen the one that is looked at
 */

/** @type {Reading} of a blank canvas */
export const NOTHING = { answer: BLANK, predictions: [], chosen: 0 };

/** Reasons for which there is no number to look for. */
const FINAL_REASONS = ["blank", "speck", "bars", "noise"];

/**
 * Read what is drawn.
 * @param {import("./recognizer.js").Recognizer} recognizer
 * @param {Stroke[]} strokes the newest last
 * @param {boolean} asNumber whether there may be several digits
 * @returns {Reading}
 */
export function readDrawing(recognizer, strokes, asNumber) {
  if (!strokes.length) return NOTHING;
  try {
    return readStrokes(recognizer, strokes, asNumber);
  } catch (error) {
    if (error instanceof TooMuch) return { answer: TOO_MUCH, predictions: [], chosen: 0 };
    throw error;
  }
}

/**
 * @param {import("./recognizer.js").Recognizer} recognizer
 * @param {Stroke[]} strokes
 * @param {boolean} asNumber
 * @returns {Reading}
 */
function readStrokes(recognizer, strokes, asNumber) {
  const { rules, model } = recognizer;
  if (asNumber) {
    const predictions = recognizer.readNumber(strokes);
    const newest = strokes.length - 1; // the digit just written is the one to look at
    const chosen = predictions.findIndex((prediction) => prediction.strokes.includes(newest));
    return { answer: numberAnswer(predictions, rules), predictions, chosen };
  }
  const prediction = several(recognizer, recognizer.readStrokes(strokes), strokes);
  return { answer: answerOf(prediction, model.labels, rules), predictions: [prediction], chosen: 0 };
}

/**
 * Give a drawing that is no digit, but would make a number, that as its reason.
 * @param {import("./recognizer.js").Recognizer} recognizer
 * @param {Prediction} prediction
 * @param {Stroke[]} strokes
 * @returns {Prediction}
 */
function several(recognizer, prediction, strokes) {
  const isFinal = prediction.isDigit || FINAL_REASONS.includes(prediction.reason);
  const { MOST_STROKES } = recognizer.rules.recognizer;
  if (isFinal || strokes.length < 2 || strokes.length > MOST_STROKES) return prediction;
  const digits = recognizer.readNumber(strokes);
  if (digits.length < 2 || !digits.every((digit) => digit.isDigit)) return prediction;
  return { ...prediction, reason: SEVERAL };
}
