// The dock: tabs that open and close one panel at a time.

import { button, element } from "./elements.js";

/**
 * @param {HTMLElement} list the tablist.
 * @param {HTMLElement} place of the panels.
 * @param {{ name: string, panel: { node: HTMLElement, open?: () => void, close?: () => void } }[]} tabs
 */
export function makeTabs(list, place, tabs) {
  let current = -1;
  list.replaceChildren();
  place.replaceChildren();
  tabs.forEach(({ name, panel }, index) => {
    const id = name.toLowerCase();
    const tab = button(name, () => select(index === current ? -1 : index), "", {
      id: `tab-${id}`,
      role: "tab",
      "aria-controls": `panel-${id}`,
      "aria-selected": "false",
    });
    tab.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) list.children[(index + step + tabs.length) % tabs.length].focus();
    };
    list.append(tab);
    const holder = element("div", { id: `panel-${id}`, role: "tabpanel", "aria-labelledby": `tab-${id}` }, panel.node);
    holder.hidden = true;
    place.append(holder);
  });

  function select(index) {
    if (current >= 0) tabs[current].panel.close?.();
    current = index;
    tabs.forEach((_, i) => {
      list.children[i].setAttribute("aria-selected", String(i === index));
      place.children[i].hidden = i !== index;
    });
    if (index >= 0) tabs[index].panel.open?.();
  }

  return { close: () => select(-1) };
}
