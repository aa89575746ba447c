// The page. The server decides what to ask, whom to ask and what to keep (see room.py). The page shows the last view that
// the server sent, and shows the next image only after the answer is saved. It inserts data as text, never as markup.
"use strict";

const KEYS = [..."1234567890abcdefghijklmnopqrstuvwxyz"];
const ACTIONS = {
  " ": "skip", "-": "unsure", "Backspace": "undo", ".": "guess", ",": "guess", "Enter": "confirm", "+": "grid", "=": "grid",
  "*": "all", "/": "find", "?": "help", "Escape": "pause",
};
const AHEAD = 8;            // images that are loaded ahead
const PATIENCE = 15000;     // ms that a reply may take
const IDLE = 5 * 60 * 1000; // ms without a key or a touch after which the images go to other people
const HIDDEN = 60 * 1000;   // ms after which the images of a hidden page go to other people
const STARTLE = 600;        // ms without keys after an image disappeared by itself: the key was meant for that image

const $ = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en");
const images = (count) => `${number(count)} image${count === 1 ? "" : "s"}`;
const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`;

let view = { state: "working", images: [], others: [], undo: 0 }; // the last view that the server sent
let classes = [];
let who = localStorage.getItem("who") || "";
let grid = localStorage.getItem("grid") === "yes";
let guessing = false;
let paused = "", away = null, locked = null;     // the reasons, if the page is paused, has no connection, or needs its link
let busy = false, unsent = false, moved = false; // a change is being sent; it could not be sent yet; another trial runs here now
let shown = [], picked = new Set(), drawing = 0; // the indices on the screen; those selected in the grid; number of the last draw
let lastInput = Date.now(), lastSeen = Date.now(), quietUntil = 0, lastNumber = 0;
const pictures = new Map(), guesses = new Map(), recent = [];

// The name of this tab. It survives a reload. While the page is open, it is not in the storage, which a copied tab would share.
const session = sessionStorage.getItem("session")
  || [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
sessionStorage.removeItem("session");
let visit = 0; // how often this tab has opened the page
const arrive = () => sessionStorage.setItem("visit", visit = Number(sessionStorage.getItem("visit")) + 1);
arrive();

// Talking to the server: one request at a time, in order.

let turn = Promise.resolve();
const inTurn = (task) => (turn = turn.then(task, task));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function post(path, fields) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE);
  try {
    const reply = await fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(fields), signal: stop.signal,
    });
    return [reply.status, reply.status === 204 ? {} : await reply.json()];
  } catch {
    return [0, {}];
  } finally {
    clearTimeout(timer);
  }
}

function about() {
  const want = grid ? (innerWidth < 700 ? 12 : 24) : AHEAD;
  return { session, visit, who, trial: view.trial || "", classes: classes.length, want, grid, here: here() };
}

const here = () => !paused && (!document.hidden || Date.now() - lastSeen < HIDDEN);

function heard([status, reply]) { // true: the server did it; false: it never will; null: not yet
  if (status === 200) { away = locked = null; return true; }
  if (status === 409) { moved = true; location.reload(); return null; } // the answer was meant for the other trial
  if (status === 401) locked = reply.error;
  else if (status >= 400 && status < 500) { away = locked = null; return false; }
  else away = reply.error || "";
  render();
  return null;
}

const sync = () => inTurn(async () => {
  if (!who || busy) return; // the reply to a change brings a view anyway
  const reply = await post("/api/sync", about());
  const done = heard(reply);
  if (done) take(reply[1]);
  else if (done === false) say(reply[1].error);
});

async function beat() {
  if (who && !paused && Date.now() - lastInput > IDLE && view.state === "ask") pause("Nothing happened for five minutes.");
  await sync();
  setTimeout(beat, document.body.dataset.state === "ask" ? 2000 : 1000);
}

// Send a change with the same number until the server has it. The number keeps the server from doing it twice.
function change(path, fields) {
  if (busy) return Promise.resolve(null);
  busy = true;
  document.body.dataset.busy = "";
  lastNumber = Math.max(Date.now(), lastNumber + 1);
  const mark = lastNumber;
  return inTurn(async () => {
    for (let wait = 250; ; wait = Math.min(2 * wait, 4000)) {
      const reply = await post(path, { ...about(), ...fields, number: mark });
      const done = heard(reply);
      unsent = done === null;
      if (done !== null) {
        busy = false;
        delete document.body.dataset.busy;
        if (done) take(reply[1], true); else say(reply[1].error);
        if (!done) sync();
        return done ? reply[1] : null;
      }
      render();
      await sleep(wait);
    }
  });
}

function take(news, asked = false) { // asked: the person caused the change with a key or a button
  if (news.run === view.run && news.version < view.version) return;
  const other = ["round", "title", "again"].some((key) => news[key] !== view[key]);
  const lost = !grid && shown.length && !(news.images || []).some((image) => image.index === shown[0]);
  if (lost && !asked) quietUntil = Date.now() + STARTLE;
  if (news.classes) { classes = news.classes; drawClasses(); }
  if (other) { // whoever goes on with the same kind of question still wants the guesses, which are new
    guessing = guessing && view.state === "ask" && news.state === "ask" && view.title === news.title;
    guesses.clear();
  }
  view = { images: [], others: [], undo: 0, soon: [], ...news };
  if (news.back) picked = new Set(news.back);
  load();
  render();
  if (guessing) guess();
}

// Images are loaded before they are shown, so that they appear at once.

function picture(index, side) {
  const key = `${index}/${side}`;
  let image = pictures.get(key);
  if (!image || image.broken) { // the connection may have failed, so try a broken image again
    image = new Image();
    image.src = `/image/${index}?side=${side}&trial=${view.trial}`; // with the trial, no cache mixes up images of two trials
    image.ready = image.decode().catch(() => { image.broken = true; });
  }
  pictures.delete(key);
  pictures.set(key, image);
  return image;
}

function load() {
  const side = grid ? 256 : 1024;
  for (const index of [...view.images.map((image) => image.index), ...view.soon].reverse()) picture(index, side);
  for (const key of pictures.keys()) { if (pictures.size <= 150) break; pictures.delete(key); }
}

// What the page shows.

function state() {
  if (view.state === "done" && locked === null) return "done"; // the server may be gone by then
  if (locked !== null || away !== null) return "away";
  if (paused) return "paused";
  if (view.state === "ask" && !view.images.length) return "working";
  return view.state;
}

function text(id, value) { if ($(id).textContent !== value) $(id).textContent = value; }
function show(id, yes) { $(id).hidden = !yes; }
function say(what) { text("message", what); }

function make(tag, content, attributes = {}) {
  const element = document.createElement(tag);
  element.append(...[content].flat());
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function render() {
  const now = state(), asking = now === "ask", before = document.body.dataset.state;
  document.body.dataset.state = now;
  text("title", view.title || "alearn");
  text("words", view.total ? view.words : "");
  show("learning", Boolean(view.learning));
  show("far", Boolean(view.total));
  if (view.total) {
    $("bar").max = view.total;
    $("bar").value = view.answered;
    const more = view.answered - view.total; // answers for the next round, while the model learns
    text("count", `${number(Math.min(view.answered, view.total))} of ${number(view.total)}${more > 0 ? ` + ${number(more)}` : ""}`);
  }
  text("me", who || "Your name");
  if (view.counts) {
    for (const name of ["hand", "auto", "unlabeled"]) text(name, number(view.counts[name]));
    text("estimate", view.counts.estimate === null ? "-" : percent(view.counts.estimate));
  }
  text("pace", view.pace ? Math.round(view.pace).toString() : "-");
  text("others", view.others.map((other) => `${other.who} ${number(other.answered)}`).join(", ") || "nobody");
  for (const button of document.querySelectorAll("#panel button")) button.disabled = !asking;
  const blind = Boolean(view.blind);
  $("undo").disabled = !(asking && view.undo);
  show("undo-here", now === "working" && view.undo > 0);
  show("guess-toggle", !blind);
  show("confirm", !blind);
  show("all", grid);
  $("confirm").disabled = !(asking && guessing);
  $("guess-toggle").setAttribute("aria-pressed", guessing);
  $("grid-toggle").setAttribute("aria-pressed", grid);
  text("find-name", view.open ? "Find or add" : "Find");
  text("help-find", view.open ? "find a class by part of its name, or add a new one" : "find a class by part of its name");
  show("none", !classes.length && view.open);
  show("notice", !asking);
  if (!asking) notice(now, before);
  draw(asking);
  const left = view.total ? view.images.length + view.elsewhere : 0;
  document.title = document.hidden && view.total ? `● ${images(left)} to answer - alearn`
    : view.total ? `${view.answered}/${view.total} - alearn` : `${now} - alearn`;
}

function notice(now, before) {
  const elsewhere = view.elsewhere || 0;
  const [headline, story] = {
    away: locked !== null ? ["This page needs its link", locked] : ["No connection", unsent
      ? "Your last answer is kept here. The page sends it as soon as the trial can be reached. Leave this page open. " + away
      : "The trial cannot be reached. This page will continue by itself. Your answers are kept. " + away],
    paused: ["Paused", `${paused} Your images can go to others. Come back whenever you like.`.trim()],
    done: ["Thank you", view.words],
    working: view.state === "ask"
      ? [`${images(elsewhere)} ${elsewhere === 1 ? "is" : "are"} with other people`, "They will complete this round. If they leave, you get their images."]
      : [view.round ? `Working: round ${view.round}` : "Getting ready", view.words || ""],
  }[now];
  text("headline", headline);
  text("story", story);
  show("unlock", locked !== null);
  for (const button of $("notice").querySelectorAll("[data-action=continue]")) {
    button.hidden = now !== "paused";
    if (now === "paused" && before !== "paused") button.focus();
  }
  if (before !== now) say("");
}

async function draw(asking) {
  const wanted = asking ? (grid ? view.images : view.images.slice(0, 1)) : [];
  const key = JSON.stringify([grid, wanted.map((image) => image.index)]);
  show("one", asking && !grid);
  show("grid", asking && grid);
  if (key === draw.key) return captions();
  draw.key = key;
  const mark = ++drawing, inside = $("grid").contains(document.activeElement);
  shown = [];
  const loaded = wanted.map(({ index, id }) => ({ index, id, image: picture(index, grid ? 256 : 1024) }));
  if (!loaded.every(({ image }) => image.complete)) await Promise.all(loaded.map(({ image }) => image.ready));
  if (mark !== drawing) return undefined; // a later call draws something else
  for (const { index, id, image } of loaded) {
    image.dataset.id = id;
    image.dataset.index = index;
    image.alt = image.broken ? `${id} cannot be shown` : `Image ${id}`;
  }
  shown = loaded.map(({ index }) => index);
  $("frame").replaceChildren(...(grid ? [] : loaded.map(({ image }) => image)));
  const kept = shown.filter((index) => picked.has(index));
  picked = new Set(kept.length ? kept : shown);
  $("grid").replaceChildren(...(grid ? loaded.map(tile) : []));
  if (inside && grid && shown.length) $("grid").firstChild.focus();
  return captions();
}

function tile({ index, id, image }, place) {
  const button = make("button", [image, make("span", "", { class: "guess" })], {
    type: "button", class: "tile", "data-tile": index, tabindex: place ? -1 : 0, "aria-label": id, title: id,
  });
  button.addEventListener("click", (event) => { pick(index); if (event.detail) button.blur(); });
  button.addEventListener("focus", () => {
    for (const other of $("grid").children) other.tabIndex = other === button ? 0 : -1;
  });
  return button;
}

function captions() {
  if (grid) {
    for (const button of $("grid").children) {
      const index = Number(button.dataset.tile), known = guessing && guesses.get(index);
      button.setAttribute("aria-pressed", picked.has(index));
      button.lastChild.textContent = known ? `${known.label} ${percent(known.probability)}` : "";
      button.setAttribute("aria-label", button.title + (known ? `, guess: ${button.lastChild.textContent}` : ""));
    }
  }
  text("caption", grid || !shown.length ? "" : $("frame").firstChild.dataset.id);
  const known = !grid && guessing && shown.length ? guesses.get(shown[0]) : undefined;
  show("guess", !grid && shown.length > 0 && !view.blind); // even while it is empty, so that the image does not move
  if (!known) text("guess", known === null ? "The model has not scored this image yet, or its guess is being checked." : "");
  else $("guess").replaceChildren("The model's guess: ", make("b", known.label), `, ${percent(known.probability)}`);
}

// If the name of every class is one digit or letter, it is also the key: press 7 for a 7.
const keyOf = (name, place) => (classes.every((each) => /^[0-9a-z]$/.test(each)) ? name : KEYS[place]);

function drawClasses() {
  $("classes").replaceChildren(...classes.map((name, place) => {
    const key = keyOf(name, place), label = make("span", name);
    const button = make("button", key ? [label, make("kbd", key)] : label, { type: "button", "data-class": name, title: name });
    if (key) button.setAttribute("aria-keyshortcuts", key);
    button.addEventListener("click", (event) => { if (event.detail) button.blur(); answer(name); });
    return button;
  }));
}

// What a person can do.

const acting = () => document.body.dataset.state === "ask" && !busy && shown.length > 0 && Date.now() >= quietUntil;
const targets = () => (grid ? shown.filter((index) => picked.has(index)) : shown);

async function send(answers, what) {
  if (!acting()) return;
  if (!answers.length) { say("Nothing is selected."); return; }
  const many = answers.length > 1;
  const reply = await change("/api/answer", { answers, again: view.again });
  if (!reply) return;
  const late = reply.late.length;
  if (late) say(`Somebody else has already answered ${late === 1 ? "this image" : images(late)}. The earlier answer stands.`);
  else say(many ? `${images(answers.length)}: ${what}` : `Saved: ${what}`);
}

function answer(label) {
  const button = [...$("classes").children].find((button) => button.dataset.class === label);
  if (button) { button.classList.add("hit"); setTimeout(() => button.classList.remove("hit"), 160); }
  if (acting()) {
    const at = recent.indexOf(label);
    if (at >= 0) recent.splice(at, 1);
    recent.unshift(label);
  }
  return send(targets().map((index) => ({ index, label })), label);
}

function pick(index) {
  if (!picked.delete(index)) picked.add(index);
  captions();
}

async function guess() {
  const missing = view.images.map((image) => image.index).filter((index) => !guesses.has(index)).slice(0, 100);
  if (missing.length) {
    const [status, reply] = await inTurn(() => post("/api/guess", { images: missing }));
    if (status === 200) {
      for (const index of missing) guesses.set(index, null);
      for (const { index, label, probability } of reply.guesses) guesses.set(index, { label, probability });
    } else if (status === 403) {
      guessing = false;
      say(reply.error);
    }
  }
  render();
}

function pause(why) {
  paused = why;
  render();
  sync();
}

const DO = {
  async skip() {
    if (!acting()) return;
    const those = targets();
    if (!those.length) { say("Nothing is selected."); return; }
    if (await change("/api/skip", { images: those })) say(`Skipped ${images(those.length)}, to come back last.`);
  },
  unsure() { return send(targets().map((index) => ({ index, label: null })), "cannot tell"); },
  async undo() {
    if (busy || view.state !== "ask" || paused || !view.undo) return;
    const reply = await change("/api/undo", {});
    if (reply) say(reply.back.length ? `Undone: ${images(reply.back.length)}.` : "There is nothing left to undo.");
  },
  guess() {
    if (document.body.dataset.state !== "ask") return;
    if (view.blind) { say("The model's guesses are hidden during an audit."); return; }
    guessing = !guessing;
    if (guessing) guess(); else render();
  },
  confirm() {
    if (paused) return DO.continue();
    if (!acting() || !guessing) return undefined;
    const known = targets().filter((index) => guesses.get(index));
    if (!known.length) { say("There is no guess to accept."); return undefined; }
    return send(known.map((index) => ({ index, label: guesses.get(index).label })),
      known.length > 1 ? "as guessed" : guesses.get(known[0]).label);
  },
  grid() {
    if (busy || document.body.dataset.state !== "ask") return;
    grid = !grid;
    localStorage.setItem("grid", grid ? "yes" : "no");
    picked = new Set();
    sync();
  },
  all() {
    if (!grid) return;
    picked = new Set(picked.size === shown.length ? [] : shown);
    captions();
  },
  find() { if (document.body.dataset.state === "ask" && !busy) openFinder(); },
  pause() { if (["ask", "working"].includes(document.body.dataset.state) && who) pause("Take your time."); },
  continue() { paused = ""; lastInput = Date.now(); render(); sync(); },
  help() { $("helper").showModal(); },
  name() { openNamer(); },
};

for (const button of document.querySelectorAll("button[data-action]")) {
  button.addEventListener("click", (event) => {
    if (event.detail) button.blur(); // drop the focus after a mouse click, so that Space and Enter keep their meaning
    DO[button.dataset.action]();
  });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input") && !event.target.closest("dialog:not([open])")) return;
  const tile = event.target.closest(".tile"), pressing = event.key === " " || event.key === "Enter";
  if (grid && shown.length && event.key.startsWith("Arrow")) { event.preventDefault(); walk(event.key); return; }
  // Space and Enter press the focused button, as usual. But in the grid, Enter accepts the guesses if they are shown.
  if (pressing && event.target.closest("button, a") && !(tile && event.key === "Enter" && guessing)) return;
  const label = classes.find((name, place) => keyOf(name, place) === event.key.toLowerCase());
  const action = ACTIONS[event.key];
  if (label === undefined && !action) return;
  event.preventDefault();
  if (event.repeat) return;
  if (label === undefined) DO[action](); else answer(label);
});

function walk(key) {
  const tiles = [...$("grid").children], at = tiles.indexOf(document.activeElement);
  const columns = getComputedStyle($("grid")).gridTemplateColumns.split(" ").length;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  const to = at < 0 ? 0 : at + step;
  if (tiles[to]) tiles[to].focus();
}

// Dialogs.

function openNamer() {
  $("who").value = who;
  $("namer").showModal();
  $("who").select();
}

$("namer").addEventListener("cancel", (event) => { if (!who) event.preventDefault(); });
$("namer").addEventListener("close", () => { if (!who) openNamer(); });
$("namer").firstElementChild.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("who").value.trim();
  if (!name) return;
  who = name;
  localStorage.setItem("who", who);
  $("namer").close();
  render();
  sync();
});

let chosen = 0, options = [];

function openFinder() {
  $("wanted").value = "";
  text("finder-title", view.open ? "Find or add a class" : "Find a class");
  text("wanted-name", view.open ? "Part of its name, or a new name" : "Part of its name");
  find();
  $("finder").showModal();
  $("wanted").focus();
}

function find() {
  const typed = $("wanted").value.trim(), low = typed.toLowerCase();
  const order = (name) => (name.toLowerCase().startsWith(low) ? 0 : 1);
  const known = typed ? classes.filter((name) => name.toLowerCase().includes(low)).sort((a, b) => order(a) - order(b))
    : [...recent.filter((name) => classes.includes(name)), ...classes.filter((name) => !recent.includes(name))];
  options = known.slice(0, 50).map((name) => ({ name, add: false }));
  if (view.open && typed && !classes.includes(typed)) options.push({ name: typed, add: true });
  chosen = 0;
  $("matches").replaceChildren(...options.map(({ name, add }, place) => {
    const option = make("li", add ? ["Add ", make("b", name)] : name, { role: "option", id: `option-${place}` });
    option.addEventListener("click", () => { chosen = place; choose(); });
    return option;
  }));
  if (!options.length) $("matches").replaceChildren(make("li", "No class name contains this.", { class: "nothing" }));
  mark();
}

function mark() {
  [...$("matches").children].forEach((option, place) => {
    if (options.length) option.setAttribute("aria-selected", place === chosen);
    if (place === chosen) option.scrollIntoView({ block: "nearest" });
  });
  if (options.length) $("wanted").setAttribute("aria-activedescendant", `option-${chosen}`);
  else $("wanted").removeAttribute("aria-activedescendant");
}

async function choose() {
  const option = options[chosen];
  if (!option) return;
  $("finder").close();
  if (option.add && !await change("/api/class", { name: option.name })) return;
  answer(option.name);
}

$("wanted").addEventListener("input", find);
$("wanted").addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  event.preventDefault();
  chosen = Math.max(0, Math.min(options.length - 1, chosen + (event.key === "ArrowDown" ? 1 : -1)));
  mark();
});
$("finder").firstElementChild.addEventListener("submit", (event) => { event.preventDefault(); choose(); });

// Coming and going.

async function login(secret) {
  history.replaceState(null, "", location.pathname); // remove the token from the address bar and the history
  const [status, reply] = await post("/login", { token: secret });
  locked = status === 204 ? null : reply.error || locked;
  if (status === 204) $("link").value = "";
  render();
  await sync();
}

$("unlock").addEventListener("submit", (event) => { event.preventDefault(); login($("link").value.trim().split("#").pop()); });
addEventListener("hashchange", () => { if (location.hash.length > 16) login(location.hash.slice(1)); });
addEventListener("beforeunload", (event) => { if (unsent && !moved) event.preventDefault(); });
addEventListener("pagehide", () => {
  sessionStorage.setItem("session", session);
  navigator.sendBeacon("/api/leave", new Blob([JSON.stringify({ session, visit })], { type: "application/json" }));
});
addEventListener("pageshow", (event) => { if (event.persisted) { sessionStorage.removeItem("session"); arrive(); sync(); } });
document.addEventListener("visibilitychange", () => { lastSeen = Date.now(); render(); sync(); });
for (const kind of ["keydown", "pointerdown", "pointermove"]) addEventListener(kind, () => { lastInput = Date.now(); });

(async () => {
  if (location.hash.length > 16) await login(location.hash.slice(1));
  render();
  if (!who) openNamer();
  beat();
})();
