/** Changes of the page's elements that cost nothing where nothing changes. */

/**
 * Give an element's property a value, unless it has it: written again, it would be styled and laid out again.
 * @template {object} Kind
 * @template {keyof Kind} Name
 * @param {Kind} element
 * @param {Name} name
 * @param {Kind[Name]} value
 */
export function put(element, name, value) {
  if (element[name] !== value) element[name] = value;
}

/**
 * The same of an attribute; those of ARIA are properties in browsers since 2023 only.
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function putAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
