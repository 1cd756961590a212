/** Making and changing elements. Text is only ever text: nothing here reads HTML. */

/** Make an element with properties and children, which are nodes or strings. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Change a text, unless it is the same: an untouched node keeps its selection, and costs no layout. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set or remove an attribute, unless it is as wanted. */
export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Say something to who listens to the page, once. */
export function announce(text) {
  document.getElementById("news").textContent = text;
}
