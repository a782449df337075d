// A table of attempts, in which those that belong together share a row, and the detail of one of them beside it.
import { call } from "./api.js";
import { $ } from "./dom.js";

const MOST = 1000;

export class Rows {
	open = null;
	#asked = 0;

	constructor(kind, path, keyOf, draw, fill) {
		Object.assign(this, { kind, path, keyOf, draw, fill, body: $(`${kind}-rows`) });
		this.clear();
	}

	clear() {
		this.groups = new Map();
		this.names = new Map();
		this.body.replaceChildren();
	}

	// Returns the names of the groups that changed.
	update(list) {
		const touched = new Set();
		for (const one of list) {
			// A request learns its key once its body is read.
			const name = this.keyOf(one), before = this.names.get(one.number);
			if (before !== undefined && before !== name) this.#leave(before, one.number, touched);
			this.names.set(one.number, name);
			const group = this.groups.get(name) ?? { list: [], tr: null };
			const at = group.list.findIndex((other) => other.number === one.number);
			if (at < 0) group.list.push(one);
			else group.list[at] = one;
			this.groups.set(name, group);
			touched.add(name);
		}
		for (const name of touched) this.#redraw(this.groups.get(name));
		while (this.groups.size > MOST) this.#drop(this.groups.keys().next().value);
		$(`no-${this.kind}`).hidden = this.groups.size > 0;
		if (touched.has(this.names.get(this.open))) this.show(this.open).catch(() => {});
		return touched;
	}

	#leave(name, number, touched) {
		const group = this.groups.get(name);
		if (!group) return;
		group.list = group.list.filter((one) => one.number !== number);
		if (!group.list.length) this.#drop(name);
		touched.delete(name);
	}

	#drop(name) {
		const group = this.groups.get(name);
		group.tr?.remove();
		for (const one of group.list) this.names.delete(one.number);
		this.groups.delete(name);
	}

	#redraw(group) {
		const tr = this.draw(group.list), old = group.tr;
		const focused = old?.contains(document.activeElement);
		if (old) old.replaceWith(tr);
		else this.body.prepend(tr);
		group.tr = tr;
		tr.classList.toggle("open", group.list.some((one) => one.number === this.open));
		if (focused) tr.querySelector("a, button")?.focus();
	}

	group(number) {
		return this.groups.get(this.names.get(number))?.list;
	}

	// Opens one number, or none.
	async show(number) {
		const turn = ++this.#asked;
		this.open = number;
		this.body.querySelector(".open")?.classList.remove("open");
		this.groups.get(this.names.get(number))?.tr.classList.add("open");
		if (number === null) $(this.kind).hidden = true;
		else {
			const one = await call("GET", `${this.path}/${number}`);
			if (turn === this.#asked) this.fill(one, this.group(number) ?? [one]);
		}
	}

	count() {
		return this.groups.size;
	}
}
