/** How probable each class is, as a list of bars. */
import { byProbability, percent } from "./answer.js";
import { put } from "./dom.js";

/** Classes that all have a bar, in their own order; of more the most probable have one. */
const MOST_IN_ORDER = 12;
const MOST_SHOWN = 10;

export class Bars {
  /**
   * @param {HTMLElement} list
   * @param {string[]} labels of the classes
   * @param {(key: string, values: Record<string, string>) => string} text gives the words of the language in use
   */
  constructor(list, labels, text) {
    this.text = text;
    this.list = list;
    this.labels = labels;
    this.inOrder = labels.length <= MOST_IN_ORDER;
    this.items = labels.slice(0, this.inOrder ? MOST_IN_ORDER : MOST_SHOWN).map((label) => {
      const item = list.appendChild(document.createElement("li"));
      const [name, track, share] = ["label", "track", "share"].map((kind) => {
        const part = item.appendChild(document.createElement("span"));
        part.className = kind;
        return part;
      });
      const fill = track.appendChild(document.createElement("span"));
      fill.className = "fill";
      name.dir = "auto";
      name.textContent = label;
      share.dir = "ltr";
      return { item, name, fill, share, width: "" };
    });
  }

  /**
   * @param {number[] | null} probabilities
   * @param {boolean} isDigit
   */
  show(probabilities, isDigit) {
    this.list.classList.toggle("refused", probabilities !== null && !isDigit);
    const order = probabilities && byProbability(probabilities);
    this.items.forEach((bar, k) => {
      const place = this.inOrder || !order ? k : order[k];
      const value = probabilities ? probabilities[place] : 0;
      if (!this.inOrder) put(bar.name, "textContent", order ? this.labels[place] : "");
      put(bar.item, "className", isDigit && order !== null && place === order[0] ? "best" : "");
      put(bar.share, "textContent", probabilities ? this.text("bar_share", { percent: percent(value) }) : "");
      const width = value.toFixed(3);
      if (bar.width === width) return;
      bar.width = width;
      bar.fill.style.transform = `scaleX(${width})`;
    });
  }
}
