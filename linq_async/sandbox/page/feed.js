// Live changes. A hidden page closes its connection, since browsers have six to one host; it catches up when it is shown.
import { send } from "./api.js";

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Server-sent events, read with fetch: EventSource cannot send the token.
async function* events(body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	for (;;) {
		const { value, done } = await reader.read();
		if (done) return;
		const parts = (rest + value).split("\n\n");
		rest = parts.pop();
		for (const part of parts) {
			const fields = Object.fromEntries(part.split("\n").map((line) => line.split(/: (.*)/s, 2)));
			if (fields.data) yield fields;
		}
	}
}

export function follow(position, on) {
	let at = position, controller = null;

	async function read(signal) {
		const response = await send("GET", `events?since=${at}`, undefined, signal);
		if (!response.ok) throw new Error("no events");
		on.link(true);
		for await (const { id, event, data } of events(response.body)) {
			if (event === "restart") {
				at = await on.restart();
				controller.abort();
				return;
			}
			at = id;
			on.news(JSON.parse(data));
		}
	}

	async function run() {
		if (controller) return;
		let wait = 0;
		while (!document.hidden) {
			const started = Date.now();
			controller = new AbortController();
			try {
				await read(controller.signal);
			} catch {
				// The connection was lost, or closed because the page is hidden.
			}
			if (controller.signal.aborted) continue;
			on.link(false);
			wait = Date.now() - started > 5000 ? 250 : Math.min(wait * 2 || 250, 3000);
			await pause(wait);
		}
		controller = null;
	}

	document.addEventListener("visibilitychange", () => {
		if (document.hidden) {
			controller?.abort();
			on.link(false);
		} else run();
	});
	run();
}
