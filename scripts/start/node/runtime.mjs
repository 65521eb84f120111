// The loop of a Lambda runtime, and no more: less than Node.js's own does, which is
// to Node's advantage.
import http from "node:http";

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, method, path: "/2018-06-01/runtime/invocation/" + path, agent }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

export async function run(handler) {
  for (;;) {
    const { headers, body } = await call("GET", "next");
    const id = headers["lambda-runtime-aws-request-id"];
    try {
      await call("POST", id + "/response", JSON.stringify(await handler(JSON.parse(body))));
    } catch (error) {
      await call("POST", id + "/error", JSON.stringify({ errorType: error.name, errorMessage: error.message }));
    }
  }
}
