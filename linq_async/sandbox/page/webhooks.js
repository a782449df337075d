// Subscriptions, and the attempts to deliver events to them.
import { call } from "./api.js";
import { $, block, chip, clock, detail, guarded, h } from "./dom.js";
import { Rows } from "./rows.js";

let open = null;

function draw(list) {
	const last = list.at(-1);
	const again = guarded(async () => { await call("POST", `deliveries/${last.number}/again`, {}); });
	return h("tr", { class: list.some((one) => one.number === open) && "open" },
		h("td", null, clock(last.ended_at, true)),
		h("td", null, h("a", { href: `#/webhooks/${last.number}` }, h("b", null, last.event_type)), h("small", null, ` ${last.subject}`)),
		h("td", { class: "chips" }, list.map(chip)),
		h("td", null, h("button", { type: "button", class: "plain small", click: again }, "Deliver again")));
}

const rows = new Rows($("delivery-rows"), (one) => `${one.event_id} ${one.subscription_id}`, draw);

export const count = () => rows.size;

export function clear() {
	rows.clear();
	$("no-deliveries").hidden = false;
}

export function update(list) {
	rows.update(list);
	$("no-deliveries").hidden = rows.size > 0;
}

export function subscriptions(list) {
	$("subscriptions").replaceChildren(...list.map((one) => {
		const remove = guarded(() => call("DELETE", `subscriptions/${one.id}`, {}));
		const facts = [one.active ? "active" : "inactive", `${one.events.length} types of events`, one.signed ? "signed" : "not signed", `${one.delivery_attempts} attempts`];
		return h("li", null, h("div", null, h("code", null, one.webhook_url), h("small", { title: one.events.join(", ") }, facts.join(" · "))),
			h("button", { type: "button", class: "plain small", click: remove, "aria-label": `Delete the subscription of ${one.webhook_url}` }, "Delete"));
	}));
}

export function held(state) {
	$("hold").setAttribute("aria-pressed", String(state));
	$("hold").textContent = state ? "Release deliveries" : "Hold deliveries";
}

export async function show(number) {
	open = number;
	const box = $("delivery");
	for (const tr of document.querySelectorAll("#delivery-rows tr.open")) tr.classList.remove("open");
	if (number === null) {
		box.hidden = true;
		return;
	}
	const one = await call("GET", `deliveries/${number}`);
	if (open !== number) return;
	const facts = (each) => [clock(each.ended_at, true), each.error ?? each.fault];
	detail(box, "webhooks", one.event_type, ["Event", one.event_id], rows.group(number) ?? [one], number, facts, null, block("Body", one.body));
	rows.groups.get(rows.names.get(number))?.tr.classList.add("open");
}

$("subscribe").addEventListener("submit", guarded(async (event) => {
	const { url, secret } = Object.fromEntries(new FormData(event.target));
	await call("POST", "subscriptions", { url, secret: secret || null });
	event.target.reset();
}));
$("delivery-fault").addEventListener("submit", guarded((event) => call("POST", "deliveries/faults", Object.fromEntries(new FormData(event.target)))));
$("hold").addEventListener("click", guarded(async () => {
	const fault = $("hold").getAttribute("aria-pressed") === "true" ? "release" : "hold";
	held((await call("POST", "deliveries/faults", { fault })).held);
}));
