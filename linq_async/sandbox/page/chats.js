// The list of chats, those with the latest messages first.
import { $, clock, face, h, words } from "./dom.js";

const rows = new Map(), chats = new Map();
let current = null, found = null;

function preview({ last, typing_recipients }) {
	if (typing_recipients.length) return "typing…";
	if (!last) return "No messages";
	const text = last.deleted ? "Deleted" : last.text || (last.files > 1 ? `${last.files} files` : "1 file");
	if (!last.from_me) return text;
	const failed = !["pending", "delivered"].includes(last.status);
	return [failed && [h("b", { class: `status ${last.status}` }, words(last.status)), " · "], "You: ", text];
}

function row(chat) {
	const { last } = chat;
	return h("li", null,
		h("a", { href: `#/chats/${chat.id}`, "aria-current": chat.id === current && "page" },
			face(chat),
			h("span", { class: "name" }, chat.name), last && clock(last.sent_at),
			h("span", { class: "last" }, preview(chat)),
			h("span", { class: `tag ${chat.service}` }, chat.service)));
}

export const get = (id) => chats.get(id);
export const count = () => chats.size;

function append(list) {
	const fragment = document.createDocumentFragment();
	for (const chat of list) {
		if (chats.has(chat.id)) continue;
		chats.set(chat.id, chat);
		rows.set(chat.id, row(chat));
		fragment.append(rows.get(chat.id));
	}
	$("list").append(fragment);
}

export function fill(list) {
	chats.clear();
	rows.clear();
	$("list").replaceChildren();
	append(list);
}

// The rest of a long list. What has changed in the meantime is newer.
export const more = append;

export function update(list) {
	for (const chat of list) {
		const before = chats.get(chat.id), old = rows.get(chat.id), li = row(chat);
		chats.set(chat.id, chat);
		rows.set(chat.id, li);
		const fresh = before?.last?.id !== chat.last?.id;
		if (chat.id !== current && (fresh || old?.classList.contains("fresh"))) li.classList.add("fresh");
		const focused = old?.contains(document.activeElement);
		if (found !== null && !found.has(chat.id)) continue;
		if (old?.isConnected && !fresh) old.replaceWith(li);
		else {
			old?.remove();
			$("list").prepend(li);
		}
		if (focused) li.firstChild.focus();
	}
}

export function select(id) {
	rows.get(current)?.firstChild.removeAttribute("aria-current");
	current = id;
	const li = rows.get(id);
	li?.classList.remove("fresh");
	li?.firstChild.setAttribute("aria-current", "page");
}

// Rows that are not found leave the document, since hiding two thousand takes the browser most of a second.
export function filter(ids) {
	found = ids;
	const shown = [...chats.values()].filter((chat) => ids === null || ids.has(chat.id));
	shown.sort((a, b) => (b.last?.id ?? 0) - (a.last?.id ?? 0));
	$("list").replaceChildren(...shown.map((chat) => rows.get(chat.id)));
}
