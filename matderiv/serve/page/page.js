// The state of the page, in its controls and in the address; each change asks anew.

import {
  $, code, copyButton, cost, derivative, element, fault, graph, mark, missing, program, sound, steps, verdict,
} from "./show.js";

const EXAMPLES = await (await fetch("examples.json")).json();
const FIELDS = { order: "1", then: "", layout: "mixed", form: "formula" };
const LATER = { code, graph, steps };
const DELAY = 120;

let wrt = []; // as asked for; the answer says which of them there are
let at = {};
let asking = null;
let timer = 0;

// ---- state and address ------------------------------------------------------------------

function toAddress() {
  const state = new URLSearchParams({ f: $("source").value });
  for (const name of wrt) state.append("wrt", name);
  for (const [field, usual] of Object.entries(FIELDS)) {
    if ($(field).value !== usual) state.set(field, $(field).value);
  }
  if ($("structured").checked) state.set("structured", "1");
  for (const [name, number] of Object.entries(at)) state.append("at", `${name}=${number}`);
  return `#${state}`;
}

function fromAddress() {
  const state = new URLSearchParams(location.hash.slice(1));
  $("source").value = state.get("f") ?? EXAMPLES[0].source;
  wrt = state.getAll("wrt");
  at = Object.fromEntries(state.getAll("at").map((pair) => pair.split("="))
    .map(([name, number]) => [name, Number(number)])
    .filter(([, number]) => Number.isSafeInteger(number) && number > 0));
  chooseThen(state.get("then") ? [state.get("then")] : []);
  for (const [field, usual] of Object.entries(FIELDS)) {
    $(field).value = state.get(field) ?? usual;
    if (!$(field).value) $(field).value = usual;
  }
  $("structured").checked = state.has("structured");
  grow();
  ask();
}

function changed(delay = 0) {
  history.replaceState(null, "", toAddress());
  $("answer").ariaBusy = "true";
  clearTimeout(timer);
  timer = setTimeout(ask, delay);
}

// ---- asking -----------------------------------------------------------------------------

function request() {
  const order = Number($("order").value);
  return {
    source: $("source").value,
    wrt,
    order,
    then: order === 2 && wrt.length < 2 ? $("then").value || null : null,
    layout: $("layout").value,
    form: $("form").value,
    structured: $("structured").checked,
    at,
  };
}

async function ask() {
  asking?.abort(); // the server sees the connection close, and stops
  const mine = (asking = new AbortController());
  const text = $("source").value;
  $("answer").ariaBusy = "true";
  const waiting = setTimeout(() => {
    $("answer").classList.add("waiting");
    verdict("working …", "busy");
  }, 400);
  try {
    if (!text.trim()) return blank();
    const answer = await fetch("answers", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request()),
      signal: mine.signal,
    });
    if (!answer.ok) throw new Error(`the server refused: ${answer.status} ${answer.statusText}`);
    for await (const part of lines(answer.body)) {
      if (mine.signal.aborted) return;
      if (part.part !== "program") rested(waiting);
      show(part, text);
    }
  } catch (error) {
    if (mine.signal.aborted) return;
    rested(waiting);
    const gone = error instanceof TypeError;
    show({ part: "error", of: "derivative",
      message: gone ? "the server does not answer; is matderiv serve still running?" : error.message },
    text);
  } finally {
    clearTimeout(waiting);
    if (mine === asking) {
      rested(waiting);
      $("answer").ariaBusy = "false";
    }
  }
}

function rested(waiting) {
  clearTimeout(waiting);
  $("answer").classList.remove("waiting");
}

async function* lines(stream) {
  let rest = "";
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    const complete = rest.split("\n");
    rest = complete.pop();
    for (const line of complete) yield JSON.parse(line);
  }
}

function show(part, text) {
  if (part.part === "program") {
    program(part);
    choose(part);
  } else if (part.part === "derivative") {
    sound(text);
    derivative(part);
  } else if (part.part === "cost") {
    cost(part);
    askSizes(part.sizes);
  } else if (LATER[part.part]) {
    LATER[part.part](part);
  } else if (part.of === "derivative") {
    fault(part, text);
  } else {
    missing(part);
  }
}

function blank() {
  sound("");
  verdict("");
  for (const id of ["formula", "shapes", "copies", "wrt"]) $(id).replaceChildren();
  for (const id of ["read", "cost", ...Object.keys(LATER)]) $(id).hidden = true;
}

// ---- controls ---------------------------------------------------------------------------

function choose(part) {
  wrt = part.wrt;
  const names = [...part.inputs.map((input) => input.name), ...part.named];
  const chips = names.map((name) => {
    const box = element("input", { type: "checkbox", value: name, checked: wrt.includes(name) });
    const chip = element("label", {}, box, element("span", { textContent: name }));
    if (part.named.includes(name)) chip.className = "named";
    return chip;
  });
  const focused = document.activeElement?.closest("#wrt") && document.activeElement.value;
  $("wrt").replaceChildren(...chips);
  if (focused) $("wrt").querySelector(`[value="${CSS.escape(focused)}"]`)?.focus();
  chooseThen(part.inputs.map((input) => input.name).filter((name) => name !== wrt[0]));
  $("then-label").hidden = $("order").value !== "2" || wrt.length > 1;
  const marked = part.inputs.some((input) => wrt.includes(input.name) && input.attributes.length);
  $("structured-label").hidden = !marked;
  history.replaceState(null, "", toAddress());
}

function chooseThen(names) {
  const before = $("then").value;
  $("then").replaceChildren(element("option", { value: "", textContent: "the same" }),
    ...names.map((name) => element("option", { textContent: name })));
  $("then").value = names.includes(before) ? before : "";
}

function askSizes(names) {
  const fields = Array.from($("sizes").querySelectorAll("input"), (field) => field.name);
  if (fields.join() === names.join()) return;
  $("sizes").replaceChildren(...names.map((name) => element("label", {}, `${name} =`,
    element("input", { type: "number", name, min: 1, max: 999999999, value: at[name] ?? "" }))));
}

function grow() {
  const field = $("source");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
  mark(field.value);
}

$("source").addEventListener("input", () => { grow(); changed(DELAY); });
for (const id of [...Object.keys(FIELDS), "structured"]) {
  $(id).addEventListener("change", () => changed());
}
$("wrt").addEventListener("change", () => {
  const chosen = Array.from($("wrt").querySelectorAll(":checked"), (box) => box.value);
  wrt = chosen.length ? chosen : wrt; // one there must be
  changed();
});
$("sizes").addEventListener("input", () => {
  const fields = Array.from($("sizes").querySelectorAll("input"));
  at = Object.fromEntries(fields.filter((field) => field.value && field.validity.valid)
    .map((field) => [field.name, Number(field.value)]));
  changed(DELAY);
});
$("examples").append(...EXAMPLES.map((example, place) =>
  element("option", { value: place, textContent: example.name })));
$("examples").addEventListener("change", () => {
  const example = EXAMPLES[$("examples").value];
  $("examples").value = "";
  if (!example) return;
  $("source").value = example.source;
  wrt = example.wrt;
  at = {};
  for (const [field, usual] of Object.entries(FIELDS)) $(field).value = usual;
  $("structured").checked = false;
  grow();
  changed();
});
copyButton("Copy link", () => location.href, $("share"));
copyButton("Copy code", () => $("source-code").textContent, $("copy-code"));
copyButton("Copy Markdown", () => $("copy-steps").value, $("copy-steps"));
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("textarea, input, select");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    $("source").focus();
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    $("result").focus();
  }
});
addEventListener("resize", grow);
addEventListener("hashchange", fromAddress);
fromAddress();
