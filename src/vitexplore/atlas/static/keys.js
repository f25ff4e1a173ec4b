// Ways through the features, and the keys for them.
"use strict";

/** Go to the feature before (-1) or after (1) the current one in the list. */
atlas.step = async (by) => {
  const found = await atlas.list.found(atlas.state);
  const at = found.findIndex((each) => atlas.list.same(each, atlas.state));
  const next = found[at < 0 ? 0 : (at + by + found.length) % found.length];
  if (next) location.hash = atlas.address.ofFeature(next);
};

/** Go to the same feature of the block before or after, or to its last one where it has fewer. */
atlas.deeper = (by) => {
  const blocks = atlas.blocksOf(atlas.state.model, atlas.state.site).map((each) => each.block);
  const block = blocks[blocks.indexOf(atlas.state.block) + by];
  if (block !== undefined) atlas.goTo({ ...atlas.state, block });
};

/** Go to another one of the features found. */
atlas.random = async () => {
  const found = (await atlas.list.found(atlas.state)).filter((each) => !atlas.list.same(each, atlas.state));
  if (found.length) location.hash = atlas.address.ofFeature(found[Math.floor(Math.random() * found.length)]);
};

/** Go as near to a place as there is something. */
atlas.goTo = (state) => {
  const sites = atlas.sitesOf(state.model);
  const site = sites.includes(state.site) ? state.site : sites[0];
  const blocks = atlas.blocksOf(state.model, site);
  const block = blocks.find((each) => each.block === state.block) ?? blocks[Math.min(blocks.length - 1, state.block)];
  location.hash = atlas.address.ofFeature({ model: state.model, site, block: block.block, feature: Math.min(state.feature, block.features - 1) });
};

/** How opaque maps are, in percent. */
atlas.opacity = (percent) => document.documentElement.style.setProperty("--map", percent / 100);

/** Take the maps off, or lay them on again. */
atlas.bare = () => atlas.address.go({ map: atlas.state.map === "0" ? atlas.address.DEFAULTS.map : "0" }, true);

atlas.KEYS = {
  ArrowLeft: ["←", "feature before", () => atlas.step(-1)],
  ArrowRight: ["→", "next feature", () => atlas.step(1)],
  ArrowUp: ["↑", "block before", () => atlas.deeper(-1)],
  ArrowDown: ["↓", "next block", () => atlas.deeper(1)],
  "/": ["/", "search", () => document.getElementById("search").focus()],
  c: ["c", "pin the feature, or take it off", () => atlas.togglePin(atlas.state)],
  r: ["r", "a random feature of those found", () => atlas.random()],
  b: ["b", "bare images, without maps", () => atlas.bare()],
  "?": ["?", "this help", () => document.getElementById("keys").showModal()],
};
const OF_FEATURES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "c", "r"];

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, dialog[open]");
  const key = atlas.KEYS[event.key];
  if (typing || !key || !atlas.state || event.ctrlKey || event.metaKey || event.altKey) return;
  if (OF_FEATURES.includes(event.key) && atlas.state.view !== "features") return;
  event.preventDefault();
  key[2]();
});
