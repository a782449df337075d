// Subscriptions, and the attempts to deliver events to them.
import { call } from "./api.js";
import { $, block, chip, clock, detail, h, named, on, submit } from "./dom.js";
import { Rows } from "./rows.js";

function draw(list) {
	const last = list.at(-1);
	const again = () => call("POST", `deliveries/${last.number}/again`, {});
	return h("tr", null,
		h("td", null, clock(list[0].ended_at, true)),
		h("td", null, h("a", { href: `#/webhooks/${last.number}` }, h("b", null, last.event_type)), h("small", null, ` ${last.subject}`)),
		h("td", { class: "chips" }, list.map(chip)),
		h("td", null, h("button", { class: "plain small", click: again }, "Deliver again")));
}

function fill(one, list) {
	const facts = (each) => [clock(each.ended_at, true), each.error ?? named(each.fault)];
	detail("delivery", "webhooks", one.event_type, ["Event", one.event_id], list, one.number, facts, null, block("Body", one.body));
}

export const rows = new Rows("delivery", "deliveries", (one) => `${one.event_id} ${one.subscription_id}`, draw, fill);

export function subscriptions(list) {
	$("subscriptions").replaceChildren(...list.map((one) => {
		const remove = () => call("DELETE", `subscriptions/${one.id}`, {});
		const facts = [one.active ? "active" : "inactive", `${one.events.length} types of events`, one.signed ? "signed" : "not signed", `attempts: ${one.delivery_attempts}`];
		return h("li", null, h("div", null, h("code", null, one.webhook_url), h("small", { title: one.events.join(", ") }, facts.join(" · "))),
			h("button", { class: "plain small", click: remove, "aria-label": `Delete the subscription of ${one.webhook_url}` }, "Delete"));
	}));
}

export function held(state) {
	$("hold").setAttribute("aria-pressed", String(state));
	$("hold").textContent = state ? "Release deliveries" : "Hold deliveries";
}

submit("subscribe", async ({ url, secret }, form) => {
	await call("POST", "subscriptions", { url, secret: secret || null });
	form.reset();
});
submit("delivery-fault", (given) => call("POST", "deliveries/faults", given));
on($("hold"), "click", async () => {
	const fault = $("hold").getAttribute("aria-pressed") === "true" ? "release" : "hold";
	held((await call("POST", "deliveries/faults", { fault })).held);
});
