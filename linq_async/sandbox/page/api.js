// The control calls. From another machine they need the token, which is kept for this tab.
import { $ } from "./dom.js";

const KEY = "linq-sandbox-token";

export async function send(method, path, body, signal) {
	for (;;) {
		const headers = {}, token = sessionStorage.getItem(KEY);
		if (token) headers["X-LINQ-INTEGRATION-TOKEN"] = token;
		if (method !== "GET") headers["Content-Type"] = "application/json";
		const response = await fetch(`/_sandbox/${path}`, { method, headers, signal, body: body && JSON.stringify(body) })
			.catch(() => { throw new Error("The sandbox cannot be reached."); });
		if (response.status !== 401) return response;
		await askForToken();
	}
}

export async function call(method, path, body) {
	const response = await send(method, path, body);
	const data = await response.json();
	if (!response.ok) throw new Error(data.errors[0].detail);
	return data;
}

// Several calls that are rejected at once ask once.
let asking = null;
function askForToken() {
	asking ??= new Promise((resolve) => {
		$("door").addEventListener("cancel", (event) => event.preventDefault());
		$("door").addEventListener("close", () => {
			sessionStorage.setItem(KEY, $("enter").elements.token.value.trim());
			asking = null;
			resolve();
		}, { once: true });
		$("door").showModal();
	});
	return asking;
}
