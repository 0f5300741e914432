/** Answers in words, by the keys of words.json; follows app/reading.py. */
import { rint } from "./numbers.js";

/**
 * @typedef {import("./recognizer.js").Prediction} Prediction
 * @typedef {import("./recognizer.js").Rules} Rules
 * @typedef {[string, Record<string, string | number>]} Say a text by its key, and the values to fill in
 *
 * @typedef {object} Answer
 * @property {"blank" | "digit" | "either" | "not_digit" | "number"} kind
 * @property {string} big what is shown large
 * @property {Say | null} headline a short sentence
 * @property {Say | null} line the reason, or how sure
 */

/** Reason of a drawing that is no digit, but a number. */
export const SEVERAL = "several";

/** @type {Record<string, string>} reasons that have a text of their own whatever the probabilities */
const KNOWN_REASONS = { speck: "why_dot", bars: "why_bars", noise: "why_noise", [SEVERAL]: "why_many" };

/** @type {Answer} */
export const BLANK = { kind: "blank", big: "", headline: null, line: null };

/** @type {Answer} the answer to more strokes or points than are read */
export const TOO_MUCH = { kind: "not_digit", big: "", headline: ["not_digit", {}], line: ["why_noise", {}] };

/**
 * Write a probability in whole per cents that never round a doubt away: 99.7 % is not 100 %.
 * @param {number} share
 * @returns {string}
 */
export function percent(share) {
  const value = rint(share * 100);
  if (value === 100 && share < 0.995) return "99";
  if (value === 0 && share > 0) return share >= 0.0005 ? "<1" : "0";
  return String(value);
}

/**
 * @param {number[]} probabilities
 * @returns {number[]} classes from the most probable to the least
 */
export function byProbability(probabilities) {
  return probabilities.map((_, k) => k).sort((a, b) => probabilities[b] - probabilities[a]);
}

/**
 * Tell whether a prediction is undecided between two digits.
 * @param {Prediction} prediction
 * @param {Rules} rules
 * @returns {boolean}
 */
function isUndecided(prediction, rules) {
  return prediction.reason.startsWith(rules.rejection.UNDECIDED_BETWEEN);
}

/**
 * Answer for one drawing.
 * @param {Prediction} prediction
 * @param {string[]} labels
 * @param {Rules} rules
 * @returns {Answer}
 */
export function answerOf(prediction, labels, rules) {
  if (prediction.reason === "blank") return BLANK;
  const [best, next] = byProbability(prediction.probabilities);
  const [share, other] = [prediction.probabilities[best], prediction.probabilities[next]];
  const [first, second] = [labels[best], labels[next]];
  const undecided = isUndecided(prediction, rules);
  if (!prediction.isDigit && !undecided) {
    const key = KNOWN_REASONS[prediction.reason] ?? (share < 0.5 ? "why_unsure" : "why_unlike");
    return { kind: "not_digit", big: "", headline: ["not_digit", {}], line: [key, { first, percent: percent(share) }] };
  }
  if (undecided || other >= rules.answers.RIVAL) {
    const values = { first, second, percent: percent(share), other: percent(other) };
    const line = undecided ? "undecided_why" : "either_why";
    return { kind: "either", big: first, headline: ["either", values], line: [line, values] };
  }
  const key = share >= rules.answers.SURE ? "sure" : "probably";
  return { kind: "digit", big: first, headline: [key, { percent: percent(share) }], line: null };
}

/**
 * Write one mark of a number: of two digits between which it is undecided the more probable, "?" for what is neither
 * digit nor sign.
 * @param {Prediction} prediction
 * @param {Rules} rules
 * @returns {string}
 */
export function digitText(prediction, rules) {
  if (prediction.sign) return prediction.sign;
  return prediction.isDigit || isUndecided(prediction, rules) ? String(prediction.best) : rules.answers.NOT_READ;
}

/**
 * Write digits and signs, with a line break between lines.
 * @param {Prediction[]} predictions
 * @param {Rules} rules
 * @returns {string}
 */
export function numberText(predictions, rules) {
  return predictions.map((each, k) =>
    (k && each.line !== predictions[k - 1].line ? "\n" : "") + digitText(each, rules)).join("");
}

/**
 * Answer for a whole number: its text, and the digit that is least sure where one is.
 * @param {Prediction[]} predictions from left to right
 * @param {Rules} rules
 * @returns {Answer}
 */
export function numberAnswer(predictions, rules) {
  if (!predictions.length) return BLANK;
  const text = numberText(predictions, rules);
  const digits = predictions.map((_, k) => k).filter((k) => !predictions[k].sign);
  const count = digits.length;
  /** @type {Say} */
  const headline = count > 1 ? ["number_read", { count }] : ["number_one", {}];
  if (!count) return { kind: "number", big: text, headline, line: null };
  const sureness = digits.map((k) => (predictions[k].isDigit ? predictions[k].probabilities[predictions[k].best] : 0));
  const doubt = digits[sureness.indexOf(Math.min(...sureness))];
  const doubtful = predictions[doubt];
  const [first, second] = byProbability(doubtful.probabilities);
  if (doubtful.isDigit && doubtful.probabilities[second] < rules.answers.RIVAL) {
    return { kind: "number", big: text, headline, line: null };
  }
  const key = digitText(doubtful, rules) === rules.answers.NOT_READ ? "number_unlike" : "number_doubt";
  return { kind: "number", big: text, headline, line: [key, { position: doubt + 1, first, second }] };
}

/**
 * Choose what a screen reader says.
 * @param {Answer} answer
 * @returns {Say | null}
 */
export function spoken(answer) {
  if (answer.kind === "not_digit") return ["said_not_digit", {}];
  if (answer.kind === "either" && answer.headline) return ["said_either", answer.headline[1]];
  return answer.big ? ["said_number", { text: answer.big }] : null;
}
