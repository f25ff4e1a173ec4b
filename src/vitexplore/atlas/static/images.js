// The input view: an image, a place on it, and the features of each block that fire there.
"use strict";

atlas.images = {
  async panel(state) {
    const { h } = atlas;
    const model = atlas.model(state.model) ?? atlas.catalog.models[0];
    const image = state.of === "" ? model.views[0] : Number(state.of);
    const viewed = model.views.includes(image);
    const text = await atlas.told(image);
    const choices = model.views.map((each) =>
      h("a", { class: "picture", "aria-current": each === image && "true", "aria-label": `Image ${each}`, href: atlas.address.write({ ...state, model: model.name, of: each, at: "" }) }, h("img", { src: `images/${each}.webp`, alt: "", loading: "lazy", width: 192, height: 192 })),
    );
    const models = h(
      "label",
      {},
      "model ",
      h("select", { name: "model", onchange: (event) => atlas.address.go({ model: event.target.value, of: String(image) }, true) }, atlas.catalog.models.map(({ name }) => h("option", { value: name, selected: name === model.name }, name))),
    );
    const weighed = atlas.claims.ofImage(image);
    const claims = weighed.length > 0 && h("section", {}, h("h3", {}, "Claims in which it weighs most"), h("ul", { class: "claims" }, weighed));
    const below = viewed
      ? this.under(model, image, text, await atlas.load(`firing/${model.name}/${image}`), state)
      : h("div", { class: "halves" }, h("img", { class: "large", src: `images/${image}.webp`, alt: text ?? `Image ${image}` }), h("p", { class: "soft" }, "Where features fire was kept for the images above alone."));
    return h("section", { class: "input", "aria-label": "Image" }, h("h2", {}, `Image ${image}`), h("p", {}, text), h("div", { class: "tools" }, models), h("div", { class: "choices" }, choices), below, claims);
  },

  /** The image, to be pointed at, and beside it each block's features at that place. */
  under(model, image, text, firing, state) {
    const { h } = atlas;
    const laid = h("span", { class: "laid" });
    const mark = h("span", { class: "mark" });
    const inner = h("span", { class: "seen", style: { inset: `${50 * (1 - model.crop)}%` } }, mark, laid);
    const features = h("div", { class: "firing", "aria-live": "polite" });
    const lay = (at) => laid.replaceChildren(...(at ? [atlas.pictures.map(at, "views", model.views.indexOf(image))] : []));
    let place = (state.at || "50:50").split(":").map(Number);
    let asked = 0;
    const show = async ([x, y]) => {
      place = [x, y];
      atlas.set(mark, { style: { left: `${x}%`, top: `${y}%` } });
      const turn = ++asked;
      const rows = await Promise.all(Object.entries(firing).map(([key, { grid, at }]) => this.block(model, key, at[this.cell(grid, x, y)], lay)));
      if (turn === asked) features.replaceChildren(...rows);
    };
    const keep = () => {
      atlas.state = { ...atlas.state, model: model.name, of: String(image), at: place.join(":") };
      history.replaceState(null, "", atlas.address.write(atlas.state));
    };
    const inside = (percent) => Math.min(99.9, Math.max(0, percent));
    const pointed = (event) => {
      const box = inner.getBoundingClientRect();
      const share = (value, low, size) => inside(Math.round((1000 * (value - low)) / size) / 10);
      return [share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)];
    };
    const step = 100 / Math.max(...Object.values(firing).map(({ grid }) => grid[0]));
    const STEPS = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const stage = h(
      "div",
      {
        class: "stage", tabindex: 0, role: "application", "aria-label": `${text}. Arrow keys move the place that is looked at.`,
        onpointermove: (event) => this.held || show(pointed(event)),
        onclick: (event) => {
          this.held = !this.held;
          show(pointed(event)).then(keep);
          atlas.say(this.held ? "Held: click again to let go" : "Let go");
        },
        onkeydown: (event) => {
          const by = STEPS[event.key];
          if (!by) return;
          event.preventDefault();
          event.stopPropagation();
          show(place.map((value, axis) => inside(value + by[axis]))).then(keep);
        },
      },
      h("img", { class: "large", src: `images/${image}.webp`, alt: text }),
      inner,
    );
    this.held = state.at !== "";
    show(place);
    return h("div", { class: "halves" }, h("div", {}, stage, h("p", { class: "soft" }, "Point at a place; click to hold it. Point at a feature to see where else it fires here.")), features);
  },

  /** Which position of a grid of rows and columns lies under a place in percent. */
  cell: ([rows, columns], x, y) => Math.floor((y / 100) * rows) * columns + Math.floor((x / 100) * columns),

  /** A block's features at a place, each with its share of its most. */
  async block(model, key, flat, lay) {
    const { h } = atlas;
    const [, site, block] = /^(.*)_(\d+)$/.exec(key);
    const pairs = flat.flatMap((value, place) => (place % 2 ? [] : [[value, flat[place + 1]]]));
    const list = await atlas.listOf({ model: model.name, site, block });
    const links = pairs.map(([feature, share]) => {
      const at = { model: model.name, site, block: Number(block), feature };
      const link = atlas.pictures.link({ ...at, list }, `${feature} · ${share}%`);
      atlas.set(link, { onpointerenter: () => lay(at), onfocus: () => lay(at), onpointerleave: () => lay(null), onblur: () => lay(null) });
      return link;
    });
    return h("div", {}, h("h3", {}, `block ${block}`), links.length ? h("div", { class: "grid" }, links) : h("p", { class: "soft" }, "None fires here."));
  },
};
