// Loads, routes by the hash, follows changes, and listens to the keyboard.
import { call } from "./api.js";
import * as chats from "./chats.js";
import { $, h, on, submit, toast } from "./dom.js";
import * as faults from "./faults.js";
import { follow } from "./feed.js";
import { rows as requests } from "./requests.js";
import * as talk from "./talk.js";
import * as webhooks from "./webhooks.js";

const VIEWS = { chats, requests, webhooks: webhooks.rows, faults };
// What is always sent whole.
const PARTS = { subscriptions: webhooks.subscriptions, faults: faults.show, conditions: faults.conditions, numbers: faults.numbers };
let lines = [];

function showParts(data) {
	for (const [name, show] of Object.entries(PARTS)) if (data[name]) show(data[name]);
}

function counts() {
	for (const [name, view] of Object.entries(VIEWS)) document.querySelector(`nav [href="#/${name}"] b`).textContent = view.count() || "";
	const empty = chats.count() === 0;
	$("nochat").hidden = talk.current() !== null;
	$("nochat").classList.toggle("first", empty);
	$("first").hidden = !empty;
	$("choose").hidden = empty;
}

const where = () => {
	const [view, id] = location.hash.slice(2).split("/");
	return [VIEWS[view] ? view : "chats", id ? Number(id) : null];
};

async function route() {
	const [view, id] = where();
	for (const name of Object.keys(VIEWS)) $(name).hidden = name !== view;
	for (const link of document.querySelectorAll("nav a")) {
		if (link.hash === `#/${view}`) link.setAttribute("aria-current", "page");
		else link.removeAttribute("aria-current");
	}
	const chat = view === "chats" && id !== null && chats.get(id);
	$("chats").classList.toggle("open", Boolean(chat));
	$("talk").hidden = !chat;
	chats.select(chat ? chat.id : null);
	if (!chat) talk.close();
	const shown = chat && talk.show(chat.id);
	counts();
	await shown;
	for (const table of ["requests", "webhooks"]) {
		$(table).classList.toggle("open", view === table && id !== null);
		await VIEWS[table].show(view === table ? id : null);
	}
}

async function load() {
	const overview = await call("GET", "");
	const paths = ["chats?limit=100", "requests", "deliveries", "numbers"];
	const [list, log, deliveries, numbers] = await Promise.all(paths.map((path) => call("GET", path)));
	lines = overview.phone_numbers;
	chats.fill(list.chats);
	requests.clear();
	requests.update(log.requests);
	webhooks.rows.clear();
	webhooks.rows.update(deliveries.deliveries);
	webhooks.held(deliveries.held);
	faults.fixed(numbers.fixed);
	showParts({ ...overview, ...numbers });
	$("paste").textContent = `export LINQ_BASE_URL=${location.origin}\nexport LINQ_INTEGRATION_TOKEN=…  # the one that the sandbox printed\nlinq-async send --from ${lines[0]} --to +12025550123 --text Hello`;
	$("receive").elements.to.replaceChildren(...lines.map((one) => h("option", null, one)));
	await route().catch(() => { location.hash = `#/${where()[0]}`; });
	if (list.total > list.chats.length) {
		chats.more((await call("GET", "chats?skip=100&limit=5000")).chats);
		await route().catch(() => {});
	}
	return overview.position;
}

function news(data) {
	if (data.requests) talk.touch(requests.update(data.requests));
	if (data.chats) chats.update(data.chats);
	const [view, id] = where();
	if (view === "chats" && id !== null && talk.current() !== id && chats.get(id)) route().catch(() => {});
	talk.update(data.chats ?? [], data.messages ?? []);
	if (data.deliveries) webhooks.rows.update(data.deliveries);
	showParts(data);
	counts();
}

function link(live) {
	$("status").textContent = live ? "live" : "reconnecting";
	$("status").classList.toggle("live", live);
}

let typed = 0;
async function search() {
	const turn = ++typed, text = $("search").value.trim();
	if (!text) return chats.filter(null);
	const data = await call("GET", `search?q=${encodeURIComponent(text)}`);
	if (turn === typed) chats.filter(new Set(data.chats));
}

function move(step) {
	const [view] = where(), all = [...document.querySelectorAll(`#${view} .side a, #${view} tbody a`)];
	const now = all.indexOf(document.activeElement), chosen = all.findIndex((one) => one.hasAttribute("aria-current"));
	all[Math.max(0, Math.min(all.length - 1, (now < 0 ? chosen : now) + step))]?.focus();
}

function leave() {
	const [view, id] = where();
	if (id !== null) location.hash = `#/${view}`;
}

addEventListener("keydown", (event) => {
	if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
	const typing = event.target.matches("input, textarea, select");
	if (event.key === "Escape") {
		if (event.target === $("search") && $("search").value) {
			$("search").value = "";
			chats.filter(null);
		} else if (typing) event.target.blur();
		else leave();
	}
	if (typing) return;
	const action = { "/": () => { location.hash = "#/chats"; $("chats").hidden = false; $("search").focus(); }, j: () => move(1), k: () => move(-1), r: () => $("text").focus() }[event.key];
	if (action) {
		event.preventDefault();
		action();
	}
});
on(window, "hashchange", () => {
	toast("");
	return route();
});
on($("search"), "input", search);
for (const id of ["write", "begin"]) on($(id), "click", () => $("new").showModal());
on($("cancel"), "click", () => $("new").close());
submit("receive", async (given, form) => {
	const message = await call("POST", "receive", given);
	form.reset();
	$("new").close();
	location.hash = `#/chats/${message.chat_id}`;
});

const start = async () => follow(await load(), { news, link, restart: load });
start().catch((error) => { $("status").textContent = error.message; });
