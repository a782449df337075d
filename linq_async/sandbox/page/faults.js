// The faults of the next requests, the clock, and a fresh start.
import { call } from "./api.js";
import { $, h, named, on, submit } from "./dom.js";

let sum = 0;
export const count = () => sum;

export function show(list) {
	sum = list.reduce((total, one) => total + one.times, 0);
	$("pending").replaceChildren(...list.map((one) => h("li", null,
		h("div", null, h("b", null, named(one.fault)), h("small", null, [one.phone_number && `for ${one.phone_number}`, one.method, one.path].filter(Boolean).join(" "))),
		h("span", { class: "times" }, `× ${one.times}`))));
	$("no-faults").hidden = list.length > 0;
	$("clear").hidden = !list.length;
}

export function conditions({ latency, fail, rate_limit }) {
	const most = [latency].flat().at(-1);
	const met = [most && `${[latency].flat().join(" to ")} s later`, fail && `${+(fail * 100).toFixed(2)} % fail`, rate_limit && `at most ${rate_limit} in a second`];
	$("conditions").textContent = `Conditions of all requests: ${met.filter(Boolean).join(", ") || "none"}.`;
}

submit("fault", async (given) => {
	const [fault, status] = given.fault.split(" ");
	const body = { fault, times: Number(given.times), phone_number: given.phone_number.trim() || null };
	if (status) body.status = Number(status);
	if (status === "429") body.retry_after = Number(given.seconds);
	if (fault === "delay") body.seconds = Number(given.seconds);
	show((await call("POST", "faults", body)).faults);
});

export function numbers(list) {
	$("numbers").replaceChildren(...list.map((one) => h("li", null, h("div", null, h("b", null, one.phone_number),
		h("small", null, [one.delivery === 0 ? "delivered" : one.delivery, one.service].filter((fact) => fact !== null).join(", ") || "as usual")))));
}

export function fixed(list) {
	$("fixed").replaceChildren(...list.flatMap((one) => [h("dt", null, h("code", null, one.phone_number)), h("dd", null, one.does)]));
}

submit("number", async ({ phone_number, delivery, service }) => {
	const path = `numbers/${encodeURIComponent(phone_number.trim())}`;
	numbers((await call("PUT", path, { delivery: delivery || null, service: service || null })).numbers);
});
on($("clear"), "click", async () => show((await call("DELETE", "faults", {})).faults));
for (const button of document.querySelectorAll("[data-advance]")) {
	on(button, "click", () => call("POST", "clock/advance", { seconds: Number(button.dataset.advance) }));
}

// Asks by its own text, so that one stray click drops nothing.
let sure = false;
function ask(again) {
	sure = again;
	$("reset").textContent = again ? "Really drop everything?" : "Drop everything";
}
on($("reset"), "click", async () => {
	const certain = sure;
	ask(!certain);
	if (certain) await call("POST", "reset", {});
});
on($("reset"), "blur", () => ask(false));
