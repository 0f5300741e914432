/** The page's words in the language in use. */

/**
 * @typedef {object} Language
 * @property {string} name in itself
 * @property {"ltr" | "rtl"} dir
 * @property {Record<string, string>} texts with places to fill in, like {first}
 *
 * @typedef {Record<string, Language>} Words by language
 */

/**
 * Choose the language to begin with: the one that the address ends in (page.html#de), or one that the reader has.
 * @param {Words} words
 * @param {string} address the part from # on
 * @param {readonly string[]} preferred languages of the browser, like "de-AT"
 * @returns {string}
 */
export function firstLanguage(words, address, preferred) {
  const wanted = [address.slice(1), ...preferred].map((language) => language.toLowerCase().split("-")[0]);
  return wanted.find((language) => Object.hasOwn(words, language)) ?? "en";
}

/**
 * @param {Language} language
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function textOf(language, key, values = {}) {
  return language.texts[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}
