// One conversation, as phones show it.
import { call } from "./api.js";
import { $, chip, clock, day, face, h, icon, on, size, submit, words } from "./dom.js";
import * as requests from "./requests.js";

const REACTIONS = ["love", "like", "dislike", "laugh", "emphasize", "question"];
const GLYPHS = { laugh: "Ha", emphasize: "!!", question: "?" };
const bubbles = new Map(), messages = new Map();
let open = null, chat = null, missed = null, asked = 0, stuck = true;

const glyph = (kind) => (GLYPHS[kind] ? h("b", null, GLYPHS[kind]) : icon(kind));
const people = (list) => (list.length > 2 ? `${list[0]} and ${list.length - 1} others` : list.join(" and "));

function file(one) {
	if (one.image) return h("img", { src: one.url, alt: one.filename, load: () => stuck && toEnd() });
	const own = one.url.startsWith("/files/"), safe = own || /^https?:\/\//.test(one.url);
	return h("a", { class: "file", href: safe && one.url, rel: "noreferrer noopener", target: "_blank", download: own && one.filename },
		icon("file"), h("span", null, h("b", null, one.filename), h("small", null, own ? `${size(one.size)} · ${one.content_type}` : "link")));
}

function reactor(message) {
	const choice = (reaction) => h("button", {
		title: words(reaction),
		click: () => call("POST", `messages/${message.id}/react`, { reaction, from: sender() }),
	}, glyph(reaction));
	return h("div", { class: "reactor", role: "group", "aria-label": "React as the recipient" }, REACTIONS.map(choice));
}

function toggleReactor(message, button) {
	const box = button.parentElement, old = box.querySelector(".reactor");
	if (old) old.remove();
	else box.append(reactor(message));
	button.setAttribute("aria-expanded", String(!old));
}

function note(message) {
	const attempts = message.idempotency_key === null ? [] : requests.attempts(message.idempotency_key);
	const parts = [clock(message.sent_at)];
	const named = !message.from_me && chat.people.length > 1;
	if (named) parts.unshift(message.send_from);
	if (message.from_me) parts.push(h("span", { class: `status ${message.status}` }, message.is_read ? "Read" : message.status === "pending" ? "Sending…" : words(message.status)));
	if (message.edited_at) parts.push("Edited");
	if (message.deleted) parts.push("Deleted");
	if (attempts.length > 1) {
		parts.push(h("a", { href: `#/requests/${attempts[0].number}`, "aria-label": `${attempts.length} attempts` }, attempts.map(chip)));
	}
	const usual = message.from_me ? parts.length === 2 && message.status === "delivered" : parts.length === 1;
	return h("div", { class: `note${usual ? " usual" : ""}` }, parts.map((part, index) => [index > 0 && " · ", part]));
}

function bubble(message) {
	const badges = message.reactions.map((one) =>
		h("span", { class: `badge ${one.kind}${one.from_me ? " me" : ""}`, role: "img", title: `${words(one.kind)} from ${one.from}` }, glyph(one.kind)));
	const react = h("button", { class: "react", "aria-label": "React", "aria-expanded": "false", click: (event) => toggleReactor(message, event.currentTarget) }, icon("react"));
	const only = message.attachments.length && message.attachments.every((one) => one.image) && !message.text;
	const kind = [message.from_me ? "mine" : "theirs", message.deleted && "gone", badges.length && "badged", only && "photo"];
	return h("li", { class: kind.filter(Boolean).join(" ") },
		h("div", { class: "line" },
			h("div", { class: "bubble" }, message.attachments.map(file), message.text && h("p", null, message.text), badges.length > 0 && h("div", { class: "badges" }, badges)),
			!message.deleted && react),
		note(message));
}

function head() {
	$("title").textContent = chat.name;
	$("people").replaceChildren(`${chat.line} → ${people(chat.people)} `, h("span", { class: `tag ${chat.service}` }, chat.service));
	if (chat.contact_shared) $("people").append(" contact card shared");
	$("face").replaceChildren(face(chat));
	$("talk").dataset.service = chat.service;
	const [first] = chat.typing_recipients, dots = $("dots"), low = isLow();
	dots.hidden = !first && !chat.typing;
	dots.className = first ? "theirs" : "mine";
	dots.lastChild.textContent = `${first ?? chat.line} is typing`;
	$("type").setAttribute("aria-pressed", String(chat.typing_recipients.includes($("sender").value || chat.people[0])));
	if (low) toEnd();
}

// Nobody is named before the conversation has loaded: then it is the first recipient.
const sender = () => $("sender").value || null;

function senders() {
	$("sender").replaceChildren(...chat.people.map((one) => h("option", { value: one }, one)));
	$("as").classList.toggle("single", chat.people.length === 1);
	$("text").placeholder = chat.people.length === 1 ? `Answer as ${chat.people[0]}` : "Answer";
}

const isLow = () => $("scroll").scrollHeight - $("scroll").scrollTop - $("scroll").clientHeight < 80;
const toEnd = () => { $("scroll").scrollTop = $("scroll").scrollHeight; };

function separator(message, before) {
	return (!before || day(before.sent_at) !== day(message.sent_at)) && h("li", { class: "day" }, h("span", null, day(message.sent_at)));
}

function fill(list) {
	const all = list.flatMap((message, index) => {
		const li = bubble(message);
		messages.set(message.id, message);
		bubbles.set(message.id, li);
		return [separator(message, list[index - 1]), li].filter(Boolean);
	});
	$("bubbles").replaceChildren(...all);
}

function put(message) {
	const li = bubble(message), old = bubbles.get(message.id);
	if (old) {
		const focused = old.contains(document.activeElement);
		old.replaceWith(li);
		if (focused) li.querySelector("button, a")?.focus();
	} else {
		const last = [...messages.values()].at(-1);
		if (last && message.id < last.id) return;
		li.classList.add("new");
		$("bubbles").append(...[separator(message, last), li].filter(Boolean));
	}
	messages.set(message.id, message);
	bubbles.set(message.id, li);
}

async function load(before) {
	const id = open, turn = ++asked;
	missed = [];
	const data = await call("GET", `chats/${id}/messages?limit=100${before ? `&before=${before}` : ""}`);
	if (turn !== asked || open !== id) return;
	const list = [...data.messages, ...(before ? messages.values() : [])], height = $("scroll").scrollHeight;
	bubbles.clear();
	messages.clear();
	const changed = chat?.id !== data.chat.id;
	chat = data.chat;
	if (changed) senders();
	$("earlier").hidden = !data.more;
	fill(list);
	head();
	if (before) $("scroll").scrollTop = $("scroll").scrollHeight - height;
	else toEnd();
	// What arrived meanwhile may be newer than the response.
	const late = missed;
	missed = null;
	for (const one of late) update(...one);
}

export const current = () => open;

export async function show(id) {
	if (open !== id) {
		open = id;
		bubbles.clear();
		messages.clear();
		$("bubbles").replaceChildren();
		$("sender").replaceChildren();
		chat = null;
	}
	await load(null);
}

export function close() {
	open = chat = null;
}

export function update(chats, changed) {
	missed?.push([chats, changed]);
	if (chat === null) return;
	const own = changed.filter((one) => one.chat_id === open), low = isLow();
	own.forEach(put);
	chat = chats.find((one) => one.id === open) ?? chat;
	if (own.length || chats.some((one) => one.id === open)) head();
	if (low) toEnd();
}

// The attempts of a message have changed.
export function touch(keys) {
	for (const [id, message] of messages) {
		if (keys.has(message.idempotency_key)) bubbles.get(id).lastChild.replaceWith(note(message));
	}
}

// An image that is loaded late must not push the last message out of sight.
on($("scroll"), "scroll", () => { stuck = isLow(); });
on($("earlier"), "click", () => load(messages.keys().next().value));
on($("read"), "click", () => call("POST", `chats/${open}/read`, {}));
on($("type"), "click", () => {
	const display = $("type").getAttribute("aria-pressed") !== "true";
	return call("POST", `chats/${open}/typing`, { display, from: sender() });
});
on($("sender"), "change", head);
submit("reply", async () => {
	const text = $("text").value, box = $("text");
	box.value = "";
	try {
		await call("POST", `chats/${open}/reply`, { text, from: sender() });
	} catch (error) {
		box.value ||= text;
		throw error;
	}
	toEnd();
});
$("text").addEventListener("keydown", (event) => {
	if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
		event.preventDefault();
		$("reply").requestSubmit();
	}
});
