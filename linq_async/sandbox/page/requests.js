// The requests that came in, and the attempts of one key side by side.
import { block, chip, clock, detail, h, named, size, toast, took } from "./dom.js";
import { Rows } from "./rows.js";

const PREFIX = "/api/partner/v2";
const short = (path) => (path.startsWith(PREFIX) ? path.slice(PREFIX.length) : path);

function draw(list) {
	const first = list[0];
	return h("tr", null,
		h("td", null, first.received_at && clock(first.received_at, true)),
		h("td", null, h("a", { href: `#/requests/${list.at(-1).number}` }, h("b", null, first.method), " ", h("code", null, short(first.path)))),
		h("td", { class: "chips" }, list.map(chip)),
		h("td", null, first.idempotency_key && h("code", null, first.idempotency_key)));
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// Whether a terminal takes the body as it is.
const isPasted = (one) => one.body_exact && !/[\0-\x08\v-\x1f\x7f]/.test(one.body);

function curl(one) {
	const query = one.query ? `?${one.query}` : "";
	const lines = [`curl -X ${one.method} ${quoted(location.origin + one.path + query)}`];
	for (const [name, value] of Object.entries(one.headers)) {
		if (!/^(host|content-length|user-agent|accept|accept-encoding|connection|transfer-encoding)$/i.test(name)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
	}
	if (!isPasted(one)) lines.push("--data-binary @body");
	else if (one.body) lines.push(`--data-raw ${quoted(one.body)}`);
	return lines.join(" \\\n  ");
}

function fill(one, list) {
	const [first] = list;
	const copy = h("button", { class: "plain", click: async () => {
		await navigator.clipboard.writeText(curl(one));
		copy.textContent = "Copied";
		if (!isPasted(one)) toast("Copied without the body, which is not plain text or was not kept: put it in a file named body.");
	} }, "Copy as cURL");
	const headers = Object.entries(one.headers).map(([name, value]) => `${name}: ${value}`).join("\n");
	const facts = (each) => [took(each.seconds), each === first ? clock(each.received_at, true) : `+ ${((new Date(each.received_at) - new Date(first.received_at)) / 1000).toFixed(2)} s`, named(each.fault)];
	detail("request", "requests", `${one.method} ${short(one.path)}`, one.idempotency_key && ["Key", one.idempotency_key], list, one.number, facts, copy,
		block("Request", one.body, size(one.size)), block("Response", one.response, one.replayed && "of the message that was stored before"),
		block("Headers", headers, "the token is masked"));
}

export const rows = new Rows("request", "requests", (one) => one.idempotency_key ?? `#${one.number}`, draw, fill);
export const attempts = (key) => rows.groups.get(key)?.list ?? [];
