// Builds elements. Text goes in as text, never as HTML.
const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

const isShown = (value) => value !== null && value !== undefined && value !== false;

export function h(tag, props, ...children) {
	const node = document.createElement(tag);
	for (const [name, value] of Object.entries(props ?? {})) {
		if (!isShown(value)) continue;
		if (typeof value === "function") node.addEventListener(name, guarded(value));
		else node.setAttribute(name, value === true ? "" : value);
	}
	node.append(...children.flat(2).filter(isShown));
	return node;
}

export function icon(name) {
	const svg = document.createElementNS(SVG, "svg");
	const use = document.createElementNS(SVG, "use");
	svg.setAttribute("aria-hidden", "true");
	use.setAttribute("href", `#i-${name.replace("dis", "")}`);
	if (name === "dislike") svg.classList.add("flip");
	svg.append(use);
	return svg;
}

// The picture of a chat: a colour that stays the same for the same people.
export function face(chat) {
	const kind = chat.people.length > 1 ? "people" : "person";
	let sum = 0;
	for (const letter of chat.people.join()) sum = (sum * 31 + letter.charCodeAt(0)) % 6;
	return h("span", { class: `face ${kind} c${sum}` }, icon(kind));
}

// Made once: a formatter costs more than the row that it is for.
const TIME = new Intl.DateTimeFormat([], { timeStyle: "short" });
const SECONDS = new Intl.DateTimeFormat([], { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat([], { month: "short", day: "numeric" });
const LONG_DAY = new Intl.DateTimeFormat([], { weekday: "long", month: "long", day: "numeric" });

export const day = (at) => LONG_DAY.format(new Date(at));

export function clock(at, exact) {
	const moment = new Date(at);
	const today = moment.toDateString() === new Date().toDateString();
	return h("time", { datetime: at, title: at }, (exact ? SECONDS : today ? TIME : DAY).format(moment));
}

export const words = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");

export const took = (seconds) =>
	seconds === null ? "in progress" : seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;

export const size = (bytes) =>
	bytes < 1024 ? `${bytes} B` : bytes < 1048576 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;

// Faults by the words of the forms that script them: "delay 1 + answer 503".
const WORDS = new Map([...document.querySelectorAll("[name=fault] option")].map((one) => [one.value, one.text]));
export const named = (faults) => faults?.split(" + ").map((fault) => {
	const seconds = fault.match(/^delay (.*)/)?.[1];
	return seconds ? `${WORDS.get("delay")} by ${seconds} s` : WORDS.get(fault) ?? fault;
}).join(", ");

// One attempt as a chip; `one` is a request or a delivery.
export function chip(one) {
	const open = one.seconds === null, lost = one.status === null;
	const kind = open ? "wait" : one.error ? "bad" : lost ? "lost" : one.status < 400 ? "ok" : "bad";
	const text = open ? "…" : lost ? (one.error ? "failed" : "lost") : one.status;
	const why = [one.fault && `fault: ${named(one.fault)}`, one.error, took(one.seconds)].filter(Boolean).join(", ");
	return h("span", { class: `chip ${kind}`, title: why }, text, one.replayed && " replayed");
}

function pretty(text) {
	try {
		return JSON.stringify(JSON.parse(text), null, 2);
	} catch {
		return text;
	}
}

export function block(name, text, hint) {
	return text && h("details", { open: true }, h("summary", null, name, hint && h("small", null, ` ${hint}`)), h("pre", { tabindex: "0", "aria-label": name }, pretty(text)));
}

// The detail beside a table: attempts side by side, and one of them.
export function detail(id, view, title, key, list, number, facts, ...rest) {
	// An event that is delivered again has attempts from 1 on once more.
	const again = (one, index) => list.slice(0, index).some((before) => before.attempt >= one.attempt) && ", again";
	const step = (one, index) => h("li", null, h("a", { href: `#/${view}/${one.number}`, class: "step", "aria-current": one.number === number && "true" },
		h("small", null, `Attempt ${list[0].attempt + index}`, again(one, index)), chip(one), facts(one).filter(Boolean).map((fact) => h("small", null, fact))));
	const box = $(id), kept = box.scrollTop;
	box.replaceChildren(
		h("div", { class: "bar" }, h("a", { class: "back", href: `#/${view}`, "aria-label": `Back to the ${view}` }, "‹"), h("h2", null, title), rest.shift()),
		key && h("p", { class: "key" }, key[0], " ", h("code", null, key[1])),
		h("ol", { class: "steps", role: "list", "aria-label": "Attempts" }, list.map(step)), ...rest.filter(Boolean));
	box.hidden = false;
	box.scrollTop = kept;
}

let fading = 0;
export function toast(text) {
	$("toast").textContent = text;
	clearTimeout(fading);
	fading = setTimeout(() => toast(""), 5000);
}

// Shows what went wrong, and replaces what a form does by itself.
function guarded(handler) {
	return async (event) => {
		event.preventDefault();
		try {
			await handler(event);
		} catch (error) {
			toast(error.message);
		}
	};
}

export const on = (target, type, handler) => target.addEventListener(type, guarded(handler));

export function submit(id, handler) {
	on($(id), "submit", ({ target }) => handler(Object.fromEntries(new FormData(target)), target));
}
