// A table of attempts, in which those that belong together share a row.
export class Rows {
	constructor(body, keyOf, draw, most = 1000) {
		this.body = body;
		this.keyOf = keyOf;
		this.draw = draw;
		this.most = most;
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
		for (const name of touched) this.#redraw(this.groups.get(name), list);
		while (this.groups.size > this.most) this.#drop(this.groups.keys().next().value);
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
		if (focused) tr.querySelector("a, button")?.focus();
	}

	group(number) {
		return this.groups.get(this.names.get(number))?.list;
	}

	// Marks the row of one number, or none.
	mark(number) {
		this.body.querySelector(".open")?.classList.remove("open");
		this.groups.get(this.names.get(number))?.tr.classList.add("open");
	}

	get size() {
		return this.groups.size;
	}
}
