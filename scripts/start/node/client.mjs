// A client of the Lambda Runtime API that does the least: it has no logging, errors or
// streams, and loads nothing but Node's own http. AWS's, aws-lambda-ric, does more, so
// this one favours Node in the comparison.
import http from "node:http";
import { createRequire } from "node:module";

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });
const { handler } = createRequire(`${process.env.LAMBDA_TASK_ROOT}/`)("./index.js");

function ask(method, path, body) {
	return new Promise((resolve, reject) => {
		const request = http.request({ hostname, port, agent, method, path: `/2018-06-01/runtime/invocation/${path}` }, (response) => {
			let text = "";
			response.setEncoding("utf8").on("data", (part) => { text += part; });
			response.on("end", () => resolve({ headers: response.headers, text }));
		});
		request.on("error", reject).end(body);
	});
}

for (;;) {
	const { headers, text } = await ask("GET", "next");
	const deadline = Number(headers["lambda-runtime-deadline-ms"]);
	const answer = await handler(JSON.parse(text), { getRemainingTimeInMillis: () => deadline - Date.now() });
	await ask("POST", `${headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(answer));
}
