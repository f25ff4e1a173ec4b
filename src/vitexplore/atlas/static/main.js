// From the address to the page.
"use strict";

atlas.PANELS = {
  features: async (state) => {
    const [list, card] = await Promise.all([atlas.list.panel(state), atlas.card.panel(state)]);
    return atlas.h("div", { class: "two" }, card, list);
  },
  compare: (state) => atlas.compare.panel(state),
  images: (state) => atlas.images.panel(state),
  claims: (state) => atlas.claims.panel(state),
};

/** What the address asks for, as far as there is that; else the first feature. */
atlas.asked = () => {
  const state = atlas.address.read(location.hash);
  if (state.view in atlas.PANELS) {
    if (state.view !== "features") return { ...atlas.feature, ...state };
    const block = atlas.block(state);
    if (block && Number.isInteger(state.feature) && state.feature >= 0 && state.feature < block.features) return state;
    if (location.hash.replace(/^#\/?/, "")) atlas.say("There is no such feature; this is the first one");
  }
  return { ...atlas.address.read(""), ...atlas.catalog.first };
};

atlas.show = async () => {
  const state = atlas.asked();
  atlas.state = state;
  if (state.view === "features") atlas.feature = atlas.at(state);
  const turn = (atlas.turn = (atlas.turn ?? 0) + 1);
  atlas.opacity(state.map);
  const scrolled = document.querySelector(".list .grid")?.scrollTop ?? 0;
  let panel;
  try {
    panel = await atlas.PANELS[state.view](state);
  } catch (error) {
    console.error(error);
    panel = atlas.h("p", { role: "alert" }, error.message);
  }
  if (turn !== atlas.turn) return; // something else was asked for meanwhile
  const focused = document.activeElement?.closest("main [name], main button[id]");
  document.getElementById("main").replaceChildren(panel);
  const view = state.view === "claims" ? `claims ${state.of}` : state.view;
  if (![undefined, view].includes(atlas.view)) scrollTo(0, 0);
  atlas.view = view; // the next feature or image stays where the last one was looked at
  const back = focused && (focused.id ? `#${focused.id}` : `[name="${focused.name}"]`);
  if (back) panel.querySelector(back)?.focus();
  const grid = document.querySelector(".list .grid");
  if (grid) {
    grid.scrollTop = scrolled;
    const current = grid.querySelector("[aria-current]");
    if (current) {
      const [low, high] = [current.offsetTop - grid.offsetTop, current.offsetTop - grid.offsetTop + current.offsetHeight];
      if (low < scrolled || high > scrolled + grid.clientHeight) grid.scrollTop = low - grid.clientHeight / 2;
    }
  }
  atlas.frame(state);
};

/** What stands around the panel. */
atlas.frame = (state) => {
  const title = state.view === "features" ? atlas.named(state) : state.view;
  document.title = `${title} – Atlas of ${atlas.catalog.scale}`;
  document.getElementById("pinned").textContent = atlas.address.pins().length;
  const search = document.getElementById("search");
  if (document.activeElement !== search) search.value = state.q;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    const { view } = link.dataset;
    if (view === state.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    link.href = view === "features" ? atlas.address.ofFeature(atlas.feature) : atlas.address.with({ view, of: "", model: "" });
  }
  document.documentElement.dataset.shown = location.hash; // what tests wait for
};

atlas.theme = (name) => {
  document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem("atlas-theme", name);
  } catch {
    // private windows keep nothing
  }
};

const start = async () => {
  atlas.catalog = await atlas.load("catalog");
  atlas.feature = atlas.catalog.first; // the one that was looked at last
  try {
    const kept = localStorage.getItem("atlas-theme");
    if (kept) atlas.theme(kept);
  } catch {
    // private windows keep nothing
  }
  document.getElementById("scale").textContent = `of ${atlas.catalog.scale}`;
  const on = (id, event, listener) => document.getElementById(id).addEventListener(event, listener);
  on("copy", "click", () => atlas.keep.link());
  on("json", "click", () => atlas.keep.json());
  on("csv", "click", () => atlas.keep.csv());
  on("help", "click", () => atlas.KEYS["?"][2]());
  on("theme", "click", () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
    atlas.theme(now === "dark" ? "light" : "dark");
  });
  on("find", "submit", async (event) => {
    event.preventDefault();
    const q = document.getElementById("search").value.trim();
    const from = { ...atlas.asked(), ...atlas.feature, view: "features", q, in: "" };
    const [best] = await atlas.list.found({ ...from, sort: "" });
    document.getElementById("search").blur();
    location.hash = atlas.address.write({ ...from, ...(q && best ? atlas.at(best) : {}), sort: q ? "" : from.sort });
  });
  const { h } = atlas;
  document.querySelector("#keys dl").append(...Object.values(atlas.KEYS).map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what))));
  addEventListener("hashchange", atlas.show);
  await atlas.show();
};

start().catch((error) => document.getElementById("main").replaceChildren(atlas.h("p", { role: "alert" }, error.message)));
