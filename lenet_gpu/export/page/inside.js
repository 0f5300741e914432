/** Looking inside: all layers while the network reads, and one unit taken apart. */
import { put } from "./dom.js";
import { LAYERS, explainUnit, valueOf } from "./explain.js";
import { Palette, layerViews, paintPatch } from "./maps.js";

/**
 * @typedef {import("./explain.js").Unit} Unit
 * @typedef {(key: string, values?: Record<string, string | number>) => string} Text
 */

/**
 * Write a number so that its sign stays in front of it in lines that run to the left, too.
 * @param {number} value
 * @returns {string}
 */
function written(value) {
  return `\u2066${value.toFixed(2).replace("-", "\u2212")}\u2069`;
}

export class Inside {
  /**
   * @param {() => import("./recognizer.js").Recognizer} recognizer gives what reads, which may not be unpacked yet
   * @param {Text} text gives the words of the language in use
   */
  constructor(recognizer, text) {
    this.recognizerOf = recognizer;
    this.text = text;
    this.pane = /** @type {HTMLDetailsElement} */ (document.getElementById("inside"));
    this.section = /** @type {HTMLElement} */ (document.getElementById("unit"));
    this.rows = /** @type {HTMLElement} */ (document.getElementById("sources"));
    /** @type {ReturnType<typeof layerViews> | null} made when the pane is first opened */
    this.made = null;
    /** @type {Palette | null} */
    this.colors = null;
    /** @type {Unit | null} */
    this.unit = null;
    /** @type {Uint8Array | null} */
    this.field = null;
    this.pane.addEventListener("toggle", () => this.show());
    this.byId("close").addEventListener("click", () => this.lookAway());
  }

  /**
   * @param {string} id
   * @returns {HTMLElement}
   */
  byId(id) {
    return /** @type {HTMLElement} */ (document.getElementById(id));
  }

  get network() {
    return this.recognizerOf().model.network;
  }

  get views() {
    const maps = /** @type {HTMLElement} */ (document.getElementById("maps"));
    return (this.made ??= layerViews(maps, (unit) => this.look(unit)));
  }

  get palette() {
    return (this.colors ??= new Palette(document.documentElement));
  }

  /** Take the page's words and colours again. */
  dress() {
    this.colors = null;
    this.show();
  }

  /** @param {Uint8Array | null} field what is read now */
  see(field) {
    this.field = field;
    this.show();
  }

  /** @param {Unit} unit */
  look(unit) {
    this.unit = this.field ? unit : null;
    this.show();
  }

  lookAway() {
    const from = this.unit;
    this.unit = null;
    this.show();
    if (from) this.views[from.layer].canvas.focus();
  }

  /** Show all of it, if the pane is open. */
  show() {
    if (!this.pane.open) return;
    const { field } = this;
    put(this.byId("inside-hint"), "textContent",
      field ? `${this.text("inside_hint")} ${this.text("map_help")}` : this.text("inside_empty"));
    const values = this.recognizerOf().valuesOf(field ?? new Uint8Array(28 * 28));
    for (const name of LAYERS) {
      put(this.views[name].caption, "textContent", this.text(`layer_${name}`));
      this.views[name].paint(values, this.palette, this.network.squashA);
    }
    put(this.section, "hidden", !this.unit || !field);
    if (!this.unit || !field) return;
    this.views[this.unit.layer].outline(this.unit, 1);
    this.byId("unit-name").textContent = this.nameOf(this.unit);
    if (this.unit.layer === "input") {
      this.rows.replaceChildren();
      this.byId("unit-sum").textContent = written(valueOf(values, this.unit));
      return;
    }
    const found = explainUnit(this.network, values, this.unit);
    for (const source of found.sources) this.views[source.from.layer].outline(source.from, source.side);
    this.byId("unit-sum").textContent = this.text("unit_sum", {
      sum: written(found.sum), bias: written(found.bias), value: written(found.value),
    });
    this.list(found);
  }

  /**
   * @param {Unit} unit
   * @returns {string}
   */
  nameOf({ layer, map, row, column }) {
    if (layer === "input") return this.text("unit_input", { row, column });
    const name = layer.toUpperCase();
    return layer === "c5" || layer === "f6"
      ? this.text("unit_single", { layer: name, unit: map })
      : this.text("unit_map", { layer: name, map, row, column });
  }

  /**
   * @param {import("./explain.js").Source} source
   * @returns {string} of a patch its map alone: where it lies is outlined
   */
  sourceName({ from, side }) {
    if (side === 1) return this.nameOf(from);
    return from.layer === "input" ? this.text("input") : this.text("map", { layer: from.layer.toUpperCase(), map: from.map });
  }

  /** @param {import("./explain.js").Explanation} found */
  list(found) {
    const rows = found.sources.map((source) => {
      const products = source.inputs.map((input, k) => input * source.weights[k]);
      const cells = [source.inputs, source.weights, products].map((values) => this.numbersOrPatch(values, source.side));
      return this.row(this.sourceName(source), cells, source.contribution);
    });
    if (found.rest) rows.push(this.row(this.text("others"), ["", "", ""], found.rest));
    rows.push(this.row(this.text("bias"), ["", "", ""], found.bias));
    this.rows.replaceChildren(...rows);
  }

  /**
   * @param {number[]} values
   * @param {number} side
   * @returns {string | Node}
   */
  numbersOrPatch(values, side) {
    if (side === 1) return written(values[0]);
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", values.map((value) => value.toFixed(2)).join(", "));
    paintPatch(canvas, values, side, this.palette);
    return canvas;
  }

  /**
   * @param {string} name
   * @param {(string | Node)[]} cells
   * @param {number} sum
   * @returns {HTMLTableRowElement}
   */
  row(name, cells, sum) {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.append(name);
    row.append(head, ...[...cells, written(sum)].map((content) => {
      const cell = document.createElement("td");
      cell.append(content);
      return cell;
    }));
    return row;
  }
}
