// Builds and changes elements. A text only ever becomes a text node or an attribute's value:
// nothing in this page parses HTML, so names, logs and answers are shown as they are.

const SVG = "http://www.w3.org/2000/svg";

export const find = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

/** Writes a text only where it differs: a selection stays, and no live region speaks again. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

/** Makes the children of `parent` one for each item, in their order, and keeps those that are there:
 * what has the focus keeps it. `make(item)` gives `{ node, update(item) }`. */
export function keep(parent, items, key, make) {
  const known = (parent.kept ??= new Map());
  const wanted = new Set();
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    if (wanted.has(name)) continue;
    wanted.add(name);
    let part = known.get(name);
    if (!part) known.set(name, (part = make(item)));
    if (part.node === place) place = place.nextElementSibling;
    else parent.insertBefore(part.node, place);
    part.update(item);
  }
  for (const [name, part] of known) {
    if (wanted.has(name)) continue;
    part.node.remove();
    known.delete(name);
  }
}
