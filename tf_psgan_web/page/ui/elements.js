// Small helpers that make elements of the page.

/**
 * An element.
 *
 * @param {string} name of the tag.
 * @param {object} [properties] of the element; keys with a dash are attributes.
 * @param {...(Node | string)} children
 */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

/** A labelled control in one line. */
export function labelled(text, control) {
  control.id ||= `control-${++count}`;
  return [element("label", { htmlFor: control.id }, text), control];
}

/** A button. */
export function button(text, onclick, className = "plain", properties = {}) {
  return element("button", { type: "button", className, onclick, ...properties }, text);
}

/** A canvas as a PNG file. */
export async function pngOf(canvas) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("this browser cannot save a picture of that size");
  return blob;
}

/** Lets the browser save a file. */
export function saveFile(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

let count = 0;
