// Elements, numbers and words.
"use strict";

/** An element. Attributes that start with "on" listen; "style" holds custom properties; false and null leave one out. */
atlas.h = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  atlas.set(element, attributes);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

/** The same in SVG. */
atlas.svg = (tag, attributes = {}, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  atlas.set(element, attributes);
  element.append(...children);
  return element;
};

atlas.set = (element, attributes) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, of] of Object.entries(value)) element.style.setProperty(key, of);
    else element.setAttribute(name, value === true ? "" : value);
  }
};

/** Three digits, as short as they are. */
atlas.number = (value) => {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
};

/** Tell the reader what was done. */
atlas.say = (text) => {
  const said = document.getElementById("said");
  said.textContent = text;
  clearTimeout(atlas.saying);
  atlas.saying = setTimeout(() => (said.textContent = ""), 4000);
};

/** A feature's name: model, site, block.feature. */
atlas.named = (at) => `${at.model} ${at.site} ${at.block}.${at.feature}`;
