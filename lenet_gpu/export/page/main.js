/** The page: puts ink, network, answer and insides together. */
import { digitText, spoken } from "./answer.js";
import { Bars } from "./bars.js";
import { Board } from "./board.js";
import { put, putAttribute } from "./dom.js";
import { Ink } from "./ink.js";
import { Inside } from "./inside.js";
import { modelOf } from "./model.js";
import { Recognizer } from "./recognizer.js";
import { NOTHING, readDrawing } from "./session.js";
import { firstLanguage, textOf } from "./words.js";

/** Milliseconds of rest after which a screen reader is told the answer. */
const REST = 700;

/**
 * @param {string} id
 * @returns {any} the element, of whatever kind it is
 */
function byId(id) {
  return document.getElementById(id);
}

class Page {
  constructor() {
    this.words = /** @type {import("./words.js").Words} */ (JSON.parse(byId("words").textContent));
    this.data = /** @type {import("./model.js").ModelData} */ (JSON.parse(byId("model").textContent));
    /** @type {Recognizer | null} */
    this.made = null;
    this.language = this.wantedLanguage();
    this.asNumber = false;
    this.ink = new Ink();
    this.reading = NOTHING;
    this.text = this.text.bind(this);
    this.bars = new Bars(byId("bars"), this.data.labels, this.text);
    this.inside = new Inside(() => this.recognizer, this.text);
    this.board = new Board(byId("board"), byId("cursor"), this.ink, {
      grown: () => this.soon(),
      changed: () => this.read(),
      said: (key) => this.announce(this.text(key)),
      toggled: () => this.toggleNumber(),
    });
    this.frame = 0;
    this.timer = 0;
    /** @type {ImageData | null} the picture that the network saw, once there was one */
    this.seen = null;
    this.listen();
    this.dress();
    requestAnimationFrame(() => setTimeout(() => this.warmUp()));
  }

  /**
   * Read something, unless there is something to read. The first reading takes longest, since weights are unpacked and
   * code is translated when it first runs: it is done behind the page that can be drawn on.
   */
  warmUp() {
    if (!this.made) readDrawing(this.recognizer, [[[0, 0], [0.3, 0.4], [0, 1]]], false);
  }

  /** What reads, made when it is first needed. */
  get recognizer() {
    return (this.made ??= new Recognizer(modelOf(this.data), JSON.parse(byId("rules").textContent)));
  }

  listen() {
    const languages = byId("language");
    for (const [code, { name }] of Object.entries(this.words)) {
      const option = new Option(name, code, false, code === this.language);
      option.lang = code;
      languages.append(option);
    }
    languages.addEventListener("change", () => {
      this.language = languages.value;
      this.dress();
    });
    byId("undo").addEventListener("click", () => this.board.travel(false));
    byId("redo").addEventListener("click", () => this.board.travel(true));
    byId("clear").addEventListener("click", () => this.board.clear());
    byId("number").addEventListener("click", () => this.toggleNumber());
    byId("number").hidden = !this.data.readsDigits;
    for (const query of ["(prefers-color-scheme: dark)", "print"]) { // paper is light
      matchMedia(query).addEventListener("change", () => this.dress());
    }
    addEventListener("hashchange", () => {
      this.language = languages.value = this.wantedLanguage();
      this.dress();
    });
  }

  /** @returns {string} the language that the page's address, or the browser, asks for */
  wantedLanguage() {
    return firstLanguage(this.words, location.hash, navigator.languages);
  }

  /**
   * @param {string} key
   * @param {Record<string, string | number>} [values]
   * @returns {string}
   */
  text(key, values) {
    return textOf(this.words[this.language], key, values);
  }

  /** Show everything in the language and the colours in use. */
  dress() {
    document.documentElement.lang = this.language;
    document.documentElement.dir = this.words[this.language].dir;
    document.title = this.text(this.data.readsDigits ? "title" : "title_signs");
    byId("title").textContent = document.title;
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-text]"))) {
      element.textContent = this.text(String(element.dataset.text));
    }
    byId("seen").setAttribute("aria-label", this.text("seen"));
    this.inside.dress();
    this.board.redraw();
    this.show();
  }

  toggleNumber() {
    if (!this.data.readsDigits) return;
    this.asNumber = !this.asNumber;
    byId("number").setAttribute("aria-pressed", String(this.asNumber));
    this.read();
  }

  // ---- reading

  /** Read before the next frame. */
  soon() {
    this.frame ||= requestAnimationFrame(() => this.read());
  }

  read() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.reading = readDrawing(this.recognizer, this.ink.all(), this.asNumber);
    this.show();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.sayAnswer(), REST);
  }

  /** @param {number} index of the digit of a number to look at */
  choose(index) {
    this.reading = { ...this.reading, chosen: index };
    this.show();
  }

  sayAnswer() {
    const said = spoken(this.reading.answer);
    if (said) this.announce(this.text(...said));
  }

  /** @param {string} text for screen readers */
  announce(text) {
    byId("status").textContent = text;
  }

  // ---- showing

  show() {
    const { answer, predictions, chosen } = this.reading;
    const prediction = predictions[chosen] ?? null;
    const isNumber = answer.kind === "number";
    const said = (/** @type {import("./answer.js").Say | null} */ say) => (say ? this.text(...say) : "");
    const big = isNumber ? "" : answer.big;
    put(byId("said"), "className", answer.kind === "not_digit" ? "refused" : "");
    put(byId("big"), "textContent", big);
    put(byId("big"), "className", big.length > 2 ? "long" : "");
    put(byId("headline"), "textContent", said(answer.headline));
    put(byId("line"), "textContent", said(answer.line));
    put(byId("hint"), "textContent", this.ink.isEmpty ? this.text(this.hint()) : "");
    put(byId("undo"), "disabled", !this.ink.past.length);
    put(byId("redo"), "disabled", !this.ink.future.length);
    this.showDigits(isNumber ? predictions : [], chosen);
    this.bars.show(prediction && answer.kind !== "blank" ? prediction.probabilities : null, !!prediction?.isDigit);
    this.showSeen(prediction);
    this.inside.see(prediction && prediction.reason !== "blank" ? prediction.field : null);
  }

  hint() {
    if (!this.data.readsDigits) return "hint_sign";
    return this.asNumber ? "hint_number" : "hint_draw";
  }

  /**
   * @param {import("./recognizer.js").Prediction[]} predictions
   * @param {number} chosen
   */
  showDigits(predictions, chosen) {
    const group = byId("digits");
    put(group, "hidden", !predictions.length);
    const lines = new Set(predictions.map((prediction) => prediction.line));
    for (const line of lines) {
      const marks = predictions.map((_, k) => k).filter((k) => predictions[k].line === line);
      const row = group.children[line] ?? group.appendChild(document.createElement("div"));
      while (row.children.length > marks.length) row.lastChild.remove();
      marks.forEach((k, column) => this.showDigit(row, column, predictions, k, k === chosen));
    }
    while (group.children.length > lines.size) group.lastChild.remove();
  }

  /**
   * @param {HTMLElement} row of a line
   * @param {number} column in it
   * @param {import("./recognizer.js").Prediction[]} predictions
   * @param {number} index of the digit to show
   * @param {boolean} isChosen
   */
  showDigit(row, column, predictions, index, isChosen) {
    const button = /** @type {HTMLButtonElement} */ (row.children[column]
      ?? row.appendChild(document.createElement("button")));
    button.type = "button";
    button.onclick = () => this.choose(index);
    const text = digitText(predictions[index], this.recognizer.rules);
    put(button, "textContent", text);
    const place = this.text("digit_of", { position: index + 1, count: predictions.length });
    putAttribute(button, "aria-label", `${text}, ${place}`);
    putAttribute(button, "aria-pressed", String(isChosen));
  }

  /** @param {import("./recognizer.js").Prediction | null} prediction */
  showSeen(prediction) {
    if (!prediction && !this.seen) return; // it is black by its style
    this.seen ??= new ImageData(28, 28);
    const pixels = new Uint32Array(this.seen.data.buffer);
    for (let k = 0; k < pixels.length; k++) pixels[k] = 0xff000000 + (prediction ? 0x010101 * prediction.field[k] : 0);
    byId("seen").getContext("2d").putImageData(this.seen, 0, 0);
  }
}

if (typeof document !== "undefined") new Page(); // the tests run everything above without a browser, too
