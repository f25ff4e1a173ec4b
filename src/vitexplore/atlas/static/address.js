// The address: everything that decides what is shown stands in it, so that a link shows a colleague the same.
//   #/model/site/block/feature?...   #compare?pins=...   #images/IMAGE?model=...   #claims/CLAIM
"use strict";

atlas.address = {
  /** What may stand after "?", with what counts where it does not. */
  DEFAULTS: {
    q: "",
    in: "",
    explained: "",
    purity: "",
    identification: "",
    dead: "",
    drawn: "",
    claim: "",
    sort: "",
    order: "",
    pins: "",
    recipe: "",
    seed: "",
    map: "60",
    image: "",
    model: "",
    at: "",
  },

  /** From location.hash to a state: view, the rest of the path, DEFAULTS. */
  read(hash) {
    const [path, query] = hash.replace(/^#/, "").split(/\?(.*)/s);
    const given = Object.fromEntries(new URLSearchParams(query ?? ""));
    const state = { ...this.DEFAULTS };
    for (const name of Object.keys(this.DEFAULTS)) if (name in given) state[name] = given[name];
    const parts = path.split("/").map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part; // no address that the atlas wrote
      }
    });
    if (path.startsWith("/") || path === "") {
      const [, model = "", site = "", block = "", feature = ""] = parts;
      return { ...state, view: "features", model, site, block: Number(block), feature: Number(feature) };
    }
    return { ...state, view: parts[0], of: parts[1] ?? "" };
  },

  /** The other way round; what is as it is by default is left out. */
  write(state) {
    const { view, model, site, block, feature, of } = state;
    const features = view === "features";
    const path = features ? `/${model}/${site}/${block}/${feature}` : (of ?? "") === "" ? view : `${view}/${of}`;
    const query = new URLSearchParams();
    for (const [name, usual] of Object.entries(this.DEFAULTS)) {
      if (!(features && name === "model") && String(state[name] ?? usual) !== usual) query.set(name, state[name]);
    }
    const text = query.toString().replaceAll("%2C", ",").replaceAll("%3A", ":");
    return `#${path}${text ? `?${text}` : ""}`;
  },

  /** The current address with `changes`. */
  with: (changes) => atlas.address.write({ ...atlas.state, ...changes }),

  /** Go there. With `replace`, the way back leads past what is shown now. */
  go(changes, replace = false) {
    const hash = this.with(changes);
    if (hash === location.hash) return;
    if (!replace) location.hash = hash;
    else {
      history.replaceState(null, "", hash);
      atlas.show();
    }
  },

  /** The address of a feature, with what is looked for left as it is. */
  ofFeature: (at) =>
    atlas.address.with({ view: "features", ...atlas.at(at), recipe: "", seed: "" }),

  /** Pinned features, each as model:site:block:feature. */
  pins: () =>
    atlas.state.pins
      .split(",")
      .filter(Boolean)
      .map((text) => {
        const [model, site, block, feature] = text.split(":");
        return { model, site, block: Number(block), feature: Number(feature) };
      })
      .filter((at) => at.feature < atlas.block(at)?.features),

  pin: (at) => `${at.model}:${at.site}:${at.block}:${at.feature}`,
};

atlas.MOST_PINS = 4;

/** Pin a feature, or take it off. */
atlas.togglePin = (at) => {
  const pins = atlas.address.pins().map(atlas.address.pin);
  const mine = atlas.address.pin(at);
  if (!pins.includes(mine) && pins.length === atlas.MOST_PINS) {
    atlas.say(`${atlas.MOST_PINS} features are pinned; take one off first`);
    return;
  }
  const next = pins.includes(mine) ? pins.filter((pin) => pin !== mine) : [...pins, mine];
  atlas.address.go({ pins: next.join(",") }, true);
  atlas.say(pins.includes(mine) ? `${atlas.named(at)} taken off` : `${atlas.named(at)} pinned`);
};
