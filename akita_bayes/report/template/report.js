"use strict";
(() => {
  const PAGE = 50;
  const SD_90 = 1.6449; // 5 % and 95 % of a normal distribution lie this many sd from its mean
  const data = JSON.parse(document.getElementById("report-data").textContent);

  // Elements get text by textContent only, so that no text of the input becomes markup.
  function element(tag, properties = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name in node && name !== "list") node[name] = value;
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }

  function formatted(value) {
    if (value === null || value === undefined) return "NA";
    if (typeof value !== "number" || Number.isInteger(value)) return String(value);
    return String(Number(value.toPrecision(7)));
  }

  function save(name, blob) {
    const link = element("a", { href: URL.createObjectURL(blob), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function saveLines(name, lines) {
    // As pandas reads and writes it: a quote inside a cell is doubled, and the cell quoted.
    const quoted = (text) => (text.includes('"') ? `"${text.replaceAll('"', '""')}"` : text);
    const cell = (value) => (value === null ? "NA" : quoted(String(value).replace(/[\t\r\n]+/g, " ")));
    const text = lines.map((line) => line.map(cell).join("\t") + "\n").join("");
    save(name, new Blob([text], { type: "text/tab-separated-values" }));
  }

  // ---- tables -------------------------------------------------------------------------------

  const collator = new Intl.Collator("en", { numeric: true });

  class TableView {
    constructor(root, table, mapRows, showMap) {
      Object.assign(this, { root, table, mapRows, showMap });
      this.count = table.columns.length ? table.columns[0].values.length : 0;
      this.shown = table.columns.map((column) => column.shown);
      this.sorted = null; // [column, 1 or -1]
      this.words = "";
      this.page = 0;
      this.selected = null;
      this.texts = [];
      this.chrom = table.columns.find((column) => column.name === "chrom");
      this.pos = table.columns.find((column) => column.name === "pos");
      this.build();
      this.refresh();
    }

    build() {
      const later = (call) => { let timer; return () => { clearTimeout(timer); timer = setTimeout(call, 80); }; };
      this.search = element("input", {
        type: "search", placeholder: this.chrom ? "words, or chr1:1,000-2,000" : "words",
        oninput: later(() => { this.words = this.search.value; this.page = 0; this.refresh(); }),
      });
      this.status = element("span", { className: "status", role: "status" });
      this.back = element("button", { type: "button", textContent: "Previous", onclick: () => this.turn(-1) });
      this.next = element("button", { type: "button", textContent: "Next", onclick: () => this.turn(1) });
      const download = element("button", { type: "button", className: "save-table", textContent: "Save as TSV", onclick: () => this.download() });
      const boxes = this.table.columns.map((column, number) => element("label", { title: column.description },
        element("input", { type: "checkbox", checked: column.shown, onchange: (event) => { this.shown[number] = event.target.checked; this.refresh(); } }),
        column.name));
      const choice = element("details", { className: "choice" }, element("summary", { textContent: `Columns (${this.table.columns.length})` }),
        element("div", { className: "columns" }, ...boxes));
      this.controls = element("div", { className: "controls" }, element("label", {}, "Search ", this.search), this.status, this.back, this.next, download);
      this.root.prepend(this.controls, choice);
      this.head = this.root.querySelector("thead");
      this.body = this.root.querySelector("tbody");
    }

    turn(step) { this.page += step; this.draw(); }

    text(row) {
      this.texts[row] ??= this.table.columns.map((column) => formatted(column.values[row])).join("\t").toLowerCase();
      return this.texts[row];
    }

    matches() {
      const region = /^\s*(\S+):([\d,]+)-([\d,]+)\s*$/.exec(this.words);
      if (region && this.chrom && this.pos) {
        const [low, high] = region.slice(2).map((text) => Number(text.replaceAll(",", "")));
        // Positions count from 1; the region counts from 0, and its end is not in it.
        return (row) => this.chrom.values[row] === region[1] && this.pos.values[row] > low && this.pos.values[row] <= high;
      }
      const words = this.words.toLowerCase().split(/\s+/).filter(Boolean);
      return (row) => words.every((word) => this.text(row).includes(word));
    }

    refresh() {
      const matches = this.matches();
      this.order = [];
      for (let row = 0; row < this.count; row++) if (matches(row)) this.order.push(row);
      if (this.sorted) {
        const [number, sign] = this.sorted;
        const { values, text } = this.table.columns[number];
        const compare = text ? (a, b) => collator.compare(a, b) : (a, b) => a - b;
        this.order.sort((a, b) => {
          const [x, y] = [values[a], values[b]];
          if (x === null || y === null) return (x === null) - (y === null) || a - b;
          return sign * compare(x, y) || a - b;
        });
      }
      this.draw();
    }

    draw() {
      const pages = Math.max(1, Math.ceil(this.order.length / PAGE));
      this.page = Math.min(Math.max(this.page, 0), pages - 1);
      const first = this.page * PAGE;
      const rows = this.order.slice(first, first + PAGE);
      const columns = this.table.columns.map((column, number) => [column, number]).filter(([, number]) => this.shown[number]);
      const headings = columns.map(([column, number]) => {
        const [by, sign] = this.sorted ?? [-1, 0];
        const sort = () => { this.sorted = [number, by === number ? -sign : column.text ? 1 : -1]; this.page = 0; this.refresh(); };
        const button = element("button", { type: "button", textContent: column.name, onclick: sort });
        const heading = element("th", { scope: "col", title: column.description, className: column.text ? "" : "number" }, button);
        heading.setAttribute("aria-sort", by === number ? (sign > 0 ? "ascending" : "descending") : "none");
        return heading;
      });
      if (this.mapRows.size) headings.unshift(element("th", { scope: "col", textContent: "map" }));
      this.head.replaceChildren(element("tr", {}, ...headings));
      this.body.replaceChildren(...rows.map((row) => this.row(row, columns)));
      const end = Math.min(first + PAGE, this.order.length);
      const range = this.order.length ? `${first + 1} to ${end} of ` : "";
      const all = this.order.length === this.count ? "" : ` (of ${this.count})`;
      this.status.textContent = `${range}${this.order.length} ${this.order.length === 1 ? "row" : "rows"}${all}`;
      this.back.disabled = this.page === 0;
      this.next.disabled = this.page >= pages - 1;
      this.back.hidden = this.next.hidden = this.count <= PAGE;
    }

    row(row, columns) {
      const number = this.table.rows[row];
      const cells = columns.map(([column]) => element("td", { className: column.text ? "" : "number", textContent: formatted(column.values[row]) }));
      const line = element("tr", { className: number === this.selected ? "selected" : "" }, ...cells);
      line.dataset.row = number;
      if (this.mapRows.size) {
        const has = this.mapRows.has(number);
        const link = has ? element("button", { type: "button", textContent: "show", title: "show the map of this variant", onclick: () => this.showMap(number) }) : "";
        line.prepend(element("td", {}, link));
      }
      return line;
    }

    select(number) { this.selected = number; this.draw(); }

    reveal(number) {
      let position = this.order.findIndex((row) => this.table.rows[row] === number);
      if (position < 0) {
        this.search.value = this.words = "";
        this.refresh();
        position = this.order.findIndex((row) => this.table.rows[row] === number);
      }
      if (position < 0) return;
      this.page = Math.floor(position / PAGE);
      this.select(number);
      this.body.querySelector("tr.selected")?.scrollIntoView({ block: "center" });
    }

    download() {
      const columns = this.table.columns.filter((_, number) => this.shown[number]);
      const rows = this.order.map((row) => columns.map((column) => column.values[row]));
      saveLines("table.tsv", [columns.map((column) => column.name), ...rows]);
    }
  }

  // ---- maps ---------------------------------------------------------------------------------

  // Colours of ColorBrewer (RdBu and PuOr, reversed) and viridis; none of them relies on red
  // against green.
  const STOPS = {
    map: ["#053061", "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b", "#67001f"],
    difference: ["#2d004b", "#542788", "#8073ac", "#b2abd2", "#d8daeb", "#f7f7f7", "#fee0b6", "#fdb863", "#e08214", "#b35806", "#7f3b08"],
    spread: ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"],
  };
  const HATCH = [[214, 214, 214], [176, 176, 176]];

  function colours(stops) {
    const rgb = stops.map((text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
    return Array.from({ length: 256 }, (_, k) => {
      const at = (k / 255) * (rgb.length - 1), left = Math.min(Math.floor(at), rgb.length - 2);
      return rgb[left].map((value, channel) => Math.round(value + (at - left) * (rgb[left + 1][channel] - value)));
    });
  }
  const TABLES = Object.fromEntries(Object.entries(STOPS).map(([name, stops]) => [name, colours(stops)]));

  async function decode(layer, bins, offset) {
    const packed = Uint8Array.from(atob(layer.codes), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const planes = new Uint8Array(await new Response(stream).arrayBuffer());
    const count = planes.length / 2;
    const values = new Float64Array(count);
    let pixel = 0;
    for (let row = 0; row < bins - offset; row++) {
      let code = 0; // each row of the triangle begins anew
      for (let column = row + offset; column < bins; column++, pixel++) {
        code = (code + planes[pixel] + 256 * planes[count + pixel]) & 65535;
        values[pixel] = code ? layer.lowest + (code - 1) * layer.step : NaN;
      }
    }
    return values;
  }

  function pixelOf(map, a, b) {
    const [i, j] = a < b ? [a, b] : [b, a];
    const side = map.bins - map.offset;
    return j - i < map.offset ? -1 : i * side - (i * (i - 1)) / 2 + (j - i - map.offset);
  }

  function decimals(step) { return Math.max(0, -Math.floor(Math.log10(step) + 1e-9)); }

  function shownValue(value, step) {
    if (!Number.isFinite(value)) return "none";
    return decimals(step) > 8 ? value.toExponential(3) : value.toFixed(decimals(step));
  }

  function whole(value) { return Math.round(value).toLocaleString("en"); }

  function basesOf(map, bin) {
    const part = map.stretches.find(([first, last]) => bin + 0.5 >= first && bin + 0.5 < last);
    if (!part) return "no base of the genome";
    const [first, , chrom, start, end, strand] = part;
    const from = Math.max(0, (bin - first) * map.width), to = Math.min(end - start, (bin + 1 - first) * map.width);
    const [left, right] = strand > 0 ? [start + from, start + to] : [end - to, end - from];
    return `${chrom}:${whole(left)}-${whole(right)}`;
  }

  function ends(map) {
    const parts = map.stretches;
    if (!parts.length) return ["", "", ""];
    const at = (part, left) => `${part[2]}:${whole((part[5] > 0) === left ? part[3] : part[4])}`;
    const middle = parts.length === 1 ? `${whole((parts[0][3] + parts[0][4]) / 2)}` : `${parts.length} stretches`;
    return [at(parts[0], true), middle, at(parts[parts.length - 1], false)];
  }

  class MapView {
    constructor(root, maps, showRow) {
      Object.assign(this, { root, maps, showRow });
      this.groups = [];
      for (const map of maps) {
        const last = this.groups.find((group) => group[0].title === map.title && group[0].row === map.row);
        if (last) last.push(map); else this.groups.push([map]);
      }
      this.at = null;
      this.build();
    }

    build() {
      this.variant = element("select", { onchange: () => this.choose() }, ...this.groups.map((group, number) => element("option", { value: number, textContent: group[0].title })));
      this.target = element("select", { onchange: () => this.show() });
      this.across = element("select", { onchange: () => this.layout() }, ...[["", "all in one row"], ["two", "two in a row"]].map(([value, text]) => element("option", { value, textContent: text })));
      this.link = element("button", { type: "button", className: "show-row", textContent: "Show its row", onclick: () => this.showRow(this.map.row) });
      const png = element("button", { type: "button", className: "save-png", textContent: "Save as PNG", onclick: () => this.savePicture() });
      const tsv = element("button", { type: "button", className: "save-map", textContent: "Save as TSV", onclick: () => this.saveTable() });
      const named = (text, control) => element("label", {}, text, control);
      this.title = element("h3");
      this.panels = element("div", { className: "panels" });
      this.readout = element("div", { className: "readout", role: "status" });
      this.precision = element("p", { className: "note" });
      this.root.replaceChildren(
        element("div", { className: "controls" }, named("Map", this.variant), named("Target", this.target), named("Panels", this.across), this.link, png, tsv),
        this.title, this.readout, this.panels, this.precision);
      addEventListener("resize", () => this.drawTracks());
      return this.choose();
    }

    select(row) {
      const number = this.groups.findIndex((group) => group[0].row === row);
      if (number < 0) return;
      this.variant.value = number;
      this.choose();
    }

    choose() {
      const group = this.groups[Number(this.variant.value)];
      const before = this.target.value;
      this.target.replaceChildren(...group.map((map) => element("option", { value: map.target, textContent: map.target })));
      if (group.some((map) => map.target === before)) this.target.value = before;
      return this.show();
    }

    layout() {
      this.panels.className = `panels ${this.across.value || (this.map.layers.length === 3 ? "three" : "")}`;
      this.drawTracks();
    }

    async show() {
      const map = this.groups[Number(this.variant.value)].find((one) => one.target === this.target.value);
      this.map = map;
      delete this.root.dataset.ready;
      const values = await Promise.all(map.layers.map((layer) => decode(layer, map.bins, map.offset)));
      if (this.map !== map) return;
      this.values = values;
      this.at = null;
      this.title.textContent = `${map.title}, target ${map.target}`;
      this.link.hidden = map.row === null;
      const shared = Math.max(...map.layers.filter((layer) => layer.palette === "map").map((layer) => layer.limit));
      this.limits = map.layers.map((layer) => (layer.palette === "map" ? shared : layer.limit));
      this.cells = map.layers.map((layer, number) => this.panel(layer, number));
      this.panels.replaceChildren(...this.cells.map((cell) => cell.root));
      this.layout();
      const steps = map.layers.map((layer) => `${layer.name} ${layer.step}`).join(", ");
      const coarse = map.factor > 1 ? `Each pixel is a mean of ${map.factor} x ${map.factor} pixels of the prediction. ` : "";
      const names = map.layers.map((layer) => layer.name);
      const absent = names.includes("REF") ? "contacts that the other allele lacks, or " : names.includes("measured") ? "contacts that were not measured, or " : "";
      this.precision.textContent = `${coarse}A pixel is ${whole(map.width)} bp wide. Values are stored in steps of: ${steps}. Hatched pixels have no value: ${absent}bins closer than ${map.offset}.`;
      this.read(null);
      this.root.dataset.ready = `${map.row} ${map.target}`;
    }

    panel(layer, number) {
      const { map } = this, scale = Math.max(1, Math.ceil(420 / map.bins)), size = map.bins * scale;
      const canvas = element("canvas", { width: size, height: size, role: "img", "aria-label": `${layer.name}, ${layer.unit}` });
      const marks = element("canvas", {
        width: size, height: size, className: "marks", tabIndex: 0, "aria-label": `${layer.name}; arrow keys move the pointer`,
        onpointermove: (event) => this.point(event, marks), onpointerleave: () => this.read(null), onkeydown: (event) => this.move(event),
      });
      this.paint(canvas, this.values[number], layer.palette, this.limits[number], scale);
      const bar = element("canvas", { width: 256, height: 1 });
      const context = bar.getContext("2d"), image = context.createImageData(256, 1);
      TABLES[layer.palette].forEach((rgb, k) => image.data.set([...rgb, 255], 4 * k));
      context.putImageData(image, 0, 0);
      const low = layer.palette === "spread" ? 0 : -this.limits[number], high = this.limits[number];
      const text = (value) => element("span", { textContent: String(Number(value.toPrecision(3))) });
      const names = { map: ["fewer", "more contacts than expected"], difference: ["less in ALT", "more in ALT"], spread: ["", ""] }[layer.palette];
      const [less, more] = layer.words ?? names;
      const tracks = element("canvas");
      const root = element("div", { className: "panel" },
        element("h3", { textContent: layer.name }),
        element("div", { className: "stack" }, canvas, marks),
        element("div", { className: "axis" }, ...ends(map).map((textContent) => element("span", { textContent }))),
        element("div", { className: "tracks" }, tracks),
        element("div", { className: "scale" }, bar, element("div", { className: "scale-ends" }, element("span", { textContent: `${text(low).textContent} ${less}` }), element("span", { textContent: `${text(high).textContent} ${more}` }))),
        element("div", { className: "scale-ends" }, element("span", { textContent: layer.unit })));
      return { root, canvas, marks, tracks, bar, scale };
    }

    paint(canvas, values, palette, limit, scale) {
      const { map } = this, size = map.bins * scale, context = canvas.getContext("2d");
      const image = context.createImageData(size, size), table = TABLES[palette];
      for (let y = 0, at = 0; y < size; y++) {
        for (let x = 0; x < size; x++, at += 4) {
          const pixel = pixelOf(map, Math.floor(x / scale), Math.floor(y / scale));
          const value = pixel < 0 ? NaN : values[pixel];
          let rgb;
          if (Number.isNaN(value)) rgb = HATCH[((x + y) >> 2) & 1];
          else {
            const share = palette === "spread" ? value / limit : 0.5 + value / (2 * limit);
            rgb = table[Math.max(0, Math.min(255, Math.round(255 * share)))];
          }
          image.data[at] = rgb[0]; image.data[at + 1] = rgb[1]; image.data[at + 2] = rgb[2]; image.data[at + 3] = 255;
        }
      }
      context.putImageData(image, 0, 0);
    }

    point(event, marks) {
      const box = marks.getBoundingClientRect(), { bins } = this.map;
      const bin = (part, whole_) => Math.max(0, Math.min(bins - 1, Math.floor((part / whole_) * bins)));
      this.read([bin(event.clientX - box.left, box.width), bin(event.clientY - box.top, box.height)]);
    }

    move(event) {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!steps) return;
      event.preventDefault();
      const middle = Math.floor(this.map.bins / 2), from = this.at ?? [middle, middle - this.map.offset];
      this.read(from.map((bin, axis) => Math.max(0, Math.min(this.map.bins - 1, bin + (this.at ? steps[axis] : 0)))));
    }

    read(at) {
      this.at = at;
      for (const { marks, scale } of this.cells) this.mark(marks, scale);
      const item = (name, value) => element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: value }));
      if (!at) {
        this.readout.replaceChildren("Point at a pixel, or focus a map and use the arrow keys, to read its values.");
        return;
      }
      const { map } = this, pixel = pixelOf(map, ...at), items = [item("across", basesOf(map, at[0])), item("down", basesOf(map, at[1]))];
      map.layers.forEach((layer, k) => items.push(item(layer.name, shownValue(pixel < 0 ? NaN : this.values[k][pixel], layer.step))));
      if (map.interval && pixel >= 0) {
        const [center, spread] = map.interval.slice(0, 2).map((name) => map.layers.findIndex((layer) => layer.name === name));
        const [value, width] = [this.values[center][pixel], SD_90 * this.values[spread][pixel]];
        const { step } = map.layers[center];
        if (Number.isFinite(value)) items.push(item(map.interval[2], `${shownValue(value - width, step)} to ${shownValue(value + width, step)}`));
      }
      const names = map.genes.filter(([, , spans]) => spans.some(([a, b]) => at.some((bin) => bin + 1 > a && bin < b))).map(([name]) => name);
      if (names.length) items.push(item("genes", names.join(", ")));
      for (const [name, , values] of map.signals) items.push(item(name, at.map((bin) => formatted(this.signal(values, bin))).join(" and ")));
      this.readout.replaceChildren(element("dl", {}, ...items));
    }

    signal(values, bin) {
      const { factor } = this.map;
      const part = values.slice(bin * factor, (bin + 1) * factor).filter((value) => value !== null);
      return part.length ? part.reduce((a, b) => a + b, 0) / part.length : null;
    }

    mark(canvas, scale) {
      const context = canvas.getContext("2d"), size = canvas.width;
      context.clearRect(0, 0, size, size);
      const line = (x1, y1, x2, y2) => {
        for (const [colour, dash] of [["#ffffff", []], ["#000000", [5, 5]]]) {
          context.strokeStyle = colour; context.lineWidth = 1.5; context.setLineDash(dash);
          context.beginPath(); context.moveTo(x1, y1); context.lineTo(x2, y2); context.stroke();
        }
      };
      if (this.map.site) {
        // Short lines at the borders show the bins of the event.
        const mark = size / 22;
        for (const edge of this.map.site.map((bin) => bin * scale)) {
          for (const [a, b] of [[0, mark], [size - mark, size]]) { line(edge, a, edge, b); line(a, edge, b, edge); }
        }
      }
      if (this.at) {
        const [x, y] = this.at.map((bin) => (bin + 0.5) * scale);
        line(x, 0, x, size);
        line(0, y, size, y);
      }
    }

    drawTracks() {
      if (!this.cells) return;
      for (const { tracks } of this.cells) {
        const width = tracks.parentElement.clientWidth;
        if (width) this.tracksOn(tracks, width, devicePixelRatio || 1);
      }
    }

    // Places genes in up to three lanes, from left to right; those without room are counted.
    lanes(context, width) {
      const { map } = this, x = (bin) => (bin / map.bins) * width, free = [], placed = [];
      for (const [name, strand, spans] of [...map.genes].sort((a, b) => a[2][0][0] - b[2][0][0])) {
        const label = strand === "+" ? `${name} >` : strand === "-" ? `< ${name}` : name;
        const words = context.measureText(label).width, left = Math.min(x(spans[0][0]), Math.max(0, width - words));
        let lane = free.findIndex((edge) => edge <= left);
        if (lane < 0 && free.length < 3) lane = free.length;
        if (lane < 0) continue;
        free[lane] = Math.max(x(spans[spans.length - 1][1]), left + words) + 4;
        placed.push({ label, left, lane, bars: spans.map(([from, to]) => [x(from), Math.max(1, x(to) - x(from))]) });
      }
      return { placed, count: free.length, hidden: map.genes.length - placed.length };
    }

    tracksOn(canvas, width, ratio) {
      const { map } = this, context = canvas.getContext("2d");
      context.font = "10px sans-serif";
      const genes = this.lanes(context, width), lanes = genes.count + (genes.hidden ? 1 : 0), height = lanes * 15 + map.signals.length * 42;
      canvas.width = width * ratio;
      canvas.height = Math.max(1, height * ratio);
      canvas.style.height = `${height}px`;
      context.scale(ratio, ratio);
      context.font = "10px sans-serif"; // a new size resets it
      for (const { label, left, lane, bars } of genes.placed) {
        context.fillStyle = "#0072B2";
        for (const [from, wide] of bars) context.fillRect(from, lane * 15 + 1, wide, 3);
        context.fillStyle = "#1b1b1b";
        context.fillText(label, left, lane * 15 + 13);
      }
      context.fillStyle = "#595959";
      if (genes.hidden) context.fillText(`${genes.hidden} more; point at the map to read their names`, 0, genes.count * 15 + 11);
      map.signals.forEach(([name, bins, values], k) => {
        const top = lanes * 15 + k * 42, known = values.filter((value) => value !== null);
        const high = Math.max(0, ...known), low = Math.min(0, ...known), span = high - low || 1;
        context.fillStyle = "#595959";
        context.fillText(`${name}  ${Number(low.toPrecision(3))} to ${Number(high.toPrecision(3))}`, 0, top + 10);
        context.fillStyle = "#333333";
        values.forEach((value, bin) => {
          if (value === null) return;
          const zero = top + 40 - ((0 - low) / span) * 28, at = top + 40 - ((value - low) / span) * 28;
          context.fillRect((bin / bins) * width, Math.min(zero, at), width / bins + 0.5, Math.max(0.5, Math.abs(zero - at)));
        });
      });
    }

    fileName() { return this.title.textContent.replace(/[^A-Za-z0-9.-]+/g, "_").slice(0, 80); }

    savePicture() { this.picture().toBlob((blob) => save(`${this.fileName()}.png`, blob)); }

    picture() {
      const side = 460, gap = 40, { map } = this, columns = this.cells.length;
      const tracks = element("canvas");
      this.tracksOn(tracks, side, 2);
      const below = tracks.height / 2;
      const canvas = element("canvas", { width: gap + columns * (side + gap), height: 60 + side + 24 + below + 70 });
      const context = canvas.getContext("2d");
      context.fillStyle = "#ffffff"; context.fillRect(0, 0, canvas.width, canvas.height);
      context.fillStyle = "#000000"; context.font = "18px sans-serif";
      context.fillText(this.title.textContent, gap, 26);
      context.imageSmoothingEnabled = false;
      this.cells.forEach((cell, k) => {
        const layer = map.layers[k], left = gap + k * (side + gap);
        context.font = "15px sans-serif"; context.fillStyle = "#000000";
        context.fillText(layer.name, left, 52);
        context.drawImage(cell.canvas, left, 60, side, side);
        context.drawImage(cell.marks, left, 60, side, side);
        context.strokeRect(left, 60, side, side);
        context.font = "12px sans-serif";
        const [first, , last] = ends(map);
        context.fillText(first, left, 60 + side + 16);
        context.textAlign = "right"; context.fillText(last, left + side, 60 + side + 16); context.textAlign = "left";
        if (below > 1) context.drawImage(tracks, left, 60 + side + 22, side, below);
        const at = 60 + side + 24 + below, low = layer.palette === "spread" ? 0 : -this.limits[k];
        context.drawImage(cell.bar, left, at, side, 14);
        context.fillText(String(Number(low.toPrecision(3))), left, at + 30);
        context.textAlign = "right"; context.fillText(String(Number(this.limits[k].toPrecision(3))), left + side, at + 30); context.textAlign = "left";
        context.fillText(layer.unit, left, at + 46);
      });
      return canvas;
    }

    saveTable() {
      const { map } = this, lines = [["bin_a", "bases_a", "bin_b", "bases_b", ...map.layers.map((layer) => layer.name)]];
      const names = Array.from({ length: map.bins }, (_, bin) => basesOf(map, bin));
      for (let i = 0; i < map.bins; i++) {
        for (let j = i + map.offset; j < map.bins; j++) {
          const pixel = pixelOf(map, i, j);
          lines.push([i, names[i], j, names[j], ...map.layers.map((layer, k) => {
            const value = this.values[k][pixel];
            return Number.isFinite(value) ? Number(value.toPrecision(9)) : null;
          })]);
        }
      }
      saveLines(`${this.fileName()}.tsv`, lines);
    }
  }

  // ---- the page -----------------------------------------------------------------------------

  const mapRoot = document.getElementById("maps");
  const mapRows = new Set(data.maps.map((map) => map.row).filter((row) => row !== null));
  let tables = [], maps = null;
  const showMap = (row) => { maps.select(row); tables[0].select(row); mapRoot.scrollIntoView({ block: "start" }); };
  tables = [...document.querySelectorAll("[data-table]")].map((root) => {
    const number = Number(root.dataset.table);
    return new TableView(root, data.tables[number], number === 0 ? mapRows : new Set(), showMap);
  });
  if (mapRoot) maps = new MapView(mapRoot, data.maps, (row) => tables[0].reveal(row));
})();
