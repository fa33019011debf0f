// From the parts of an answer to elements of the page.

export const $ = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Parsed as XML: what is not well-formed mathematics cannot become part of the page.
export function math(text) {
  const parsed = new DOMParser().parseFromString(text, "application/xml").documentElement;
  return parsed.localName === "math" ? document.importNode(parsed, true) : text;
}

const inline = (inner) => math(`<math xmlns='http://www.w3.org/1998/Math/MathML'>${inner}</math>`);

// `2 m n^2` with its exponents raised.
function formula(text) {
  return text.split(/\^(\d+)/).map((part, place) =>
    place % 2 ? element("sup", { textContent: part }) : part);
}

const grouped = (number) => number.toLocaleString("en").replaceAll(",", "\u202f");

export function bytes(number) {
  const power = number ? Math.min(4, Math.floor(Math.log2(number) / 10)) : 0;
  if (!power) return `${number} B`;
  return `${(number / 1024 ** power).toPrecision(3)} ${"KMGT"[power - 1]}iB`;
}

function rows(parts) {
  const [heads, below] = [false, true].map((where) =>
    parts.filter((row) => row.where === where).map((row) => math(row.math)));
  return below.length
    ? [...heads, element("div", { className: "where" }, "where", ...below)] : heads;
}

export function program(part) {
  $("read").hidden = false;
  $("value").replaceChildren(...rows(part.value));
  $("inputs").replaceChildren(...part.inputs.map((input) => element("div", {},
    element("dt", { textContent: input.name }), " ",
    element("dd", {}, input.shape, ...input.attributes.map((name) =>
      element("span", { className: "attribute", textContent: ` ${name}` }))))));
  $("notes").replaceChildren(...part.notes.map((note) => element("li", { textContent: note })));
}

export function derivative(part) {
  $("formula").replaceChildren(...rows(part.rows));
  verdict(`✓ ${part.verdict}`);
  $("shapes").replaceChildren(...part.notes.map((note) => element("div", { textContent: note })),
    ...part.shapes.map((shape) => element("div", {},
    element("dt", {}, inline(shape.head)), element("dd", {},
      `shape ${shape.shape}`, shape.rule ? ` · ${shape.rule}` : ""))));
  $("copies").replaceChildren(...Object.entries(part.copies).map(([name, text]) =>
    copyButton(`Copy ${LABELS[name]}`, () => text)));
}

const LABELS = { latex: "LaTeX", unicode: "Unicode", ascii: "as input", mathml: "MathML" };

export function verdict(text, kind = "") {
  $("verdict").textContent = text;
  $("verdict").className = `verdict ${kind}`;
}

export function cost(part) {
  $("cost").hidden = false;
  const numbers = part.totals.some((total) => total.number !== null);
  const cells = (total) => [
    element("th", { textContent: total.name, scope: "row" }),
    element("td", { className: "formula" }, ...formula(total.exact), ` ${total.unit}`),
    ...(numbers ? [element("td", { className: "number",
      textContent: total.unit === "bytes" ? bytes(total.number) : grouped(total.number) })] : []),
  ];
  $("totals").replaceChildren(
    ...part.totals.map((total) => element("tr", {}, ...cells(total))),
    element("tr", {}, element("th", { textContent: "backward / forward", scope: "row" }),
      element("td", { className: "formula" }, ...formula(part.ratio)),
      ...(numbers ? [element("td")] : [])));
  const head = ["", "value", "operation", "shape", "FLOPs"].map((name) =>
    element(name ? "th" : "td", { textContent: name, ...(name && { scope: "col" }) }));
  let phase = "";
  const operations = part.rows.map((row) => {
    const first = row.phase === phase ? "" : row.phase;
    phase = row.phase;
    return element("tr", {}, element("td", { textContent: first }),
      ...[row.value, row.operation, row.shape].map((text) =>
        element("td", { className: "formula", textContent: text })),
      element("td", { className: "formula" }, ...formula(row.exact)));
  });
  $("operations").replaceChildren(
    element("table", {}, element("tr", {}, ...head), ...operations));
}

export function code(part) {
  $("code").hidden = false;
  $("copy-code").hidden = false;
  $("source-code").textContent = part.source;
}

export function graph(part) {
  $("graph").hidden = false;
  $("picture").src = `data:image/svg+xml,${encodeURIComponent(part.svg)}`;
  $("picture").alt = "The computation graph; its operations are listed under Cost.";
}

export function steps(part) {
  $("steps").hidden = false;
  $("steps-verdict").textContent = `✓ ${part.verdict}`;
  const chosen = $("style").value;
  $("style").replaceChildren(...part.styles.map((style) => element("option", { textContent: style.name })));
  if (chosen) $("style").value = chosen;
  $("style").onchange = () => derivation(part);
  derivation(part);
}

function derivation(part) {
  const style = part.styles.find((one) => one.name === $("style").value) ?? part.styles[0];
  let number = 1;
  $("derivation").replaceChildren(...style.sections.flatMap((section) => {
    const list = element("ol", { start: number }, ...section.steps.map(step));
    number += section.steps.length;
    return [element("h3", { textContent: section.title }), list];
  }));
  $("copy-steps").value = style.markdown;
}

function step(one) {
  const laws = one.laws.map((law) =>
    element("span", {}, law.name, ...(law.math ? [math(law.math)] : [])));
  const formulas = element("div", { className: "math" }, ...one.math.map(math));
  const sizes = [one.shape, one.flops].filter(Boolean).map((text) => element("span", {}, ...formula(text)));
  const aside = element("div", { className: "aside" }, ...sizes, ...laws);
  return element("li", {}, element("div", {}, formulas, aside));
}

export function missing(part) {
  const section = $(part.of);
  if (section) section.hidden = true;
}

// The editor's own text, invisible, under it, with the place of the fault marked.
export function mark(text, span) {
  const letters = Array.from(text); // places count letters, not UTF-16 units
  if (!span) return $("marks").replaceChildren(text, "\n");
  const start = Math.min(span[0], letters.length);
  const end = Math.max(span[1], start + 1);
  const place = letters.slice(start, end).join("") || " ";
  $("marks").replaceChildren(letters.slice(0, start).join(""),
    element("mark", { textContent: place }), letters.slice(end).join(""), "\n");
}

export function fault(part, text) {
  const hint = part.hint ? [element("div", {}, "try: ", element("code", { textContent: part.hint }))] : [];
  $("fault").replaceChildren(element("div", { textContent: part.message }), ...hint);
  $("fault").hidden = false;
  $("source").setAttribute("aria-invalid", "true");
  mark(text, part.span);
  stale(true);
  verdict($("formula").hasChildNodes() ? "of the last formula that could be read, not of this one"
    : "none yet", "busy");
}

// What is shown belongs to an earlier formula, and must look so.
export function stale(is) {
  for (const id of ["answer", "read"]) $(id).classList.toggle("stale", is);
}

export function sound(text) {
  $("fault").hidden = true;
  $("source").removeAttribute("aria-invalid");
  mark(text);
  stale(false);
}

export function copyButton(label, text, button = element("button", { type: "button" })) {
  button.textContent = label;
  button.addEventListener("click", async () => {
    const copied = await navigator.clipboard.writeText(text()).then(() => true, () => false);
    button.textContent = copied ? "Copied" : "The browser refused";
    button.classList.toggle("done", copied);
    setTimeout(() => { button.textContent = label; button.classList.remove("done"); }, 1500);
  });
  return button;
}
