// What functions/submit does with one task, for the comparison in scripts/bench-start:
// the same checks, record and message, on the SDK's plain clients. The SDK's
// DocumentClient, which most use, would be more code to load.
import { randomBytes } from "node:crypto";
import { ConditionalCheckFailedException, DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const { TABLE_NAME, TASK_QUEUE_URL } = process.env;
const dynamodb = new DynamoDBClient({ maxAttempts: 4 });
const sqs = new SQSClient({ maxAttempts: 4 });

export async function handler(request) {
	if (!(request.headers["content-type"] ?? "").startsWith("application/json")) {
		return problem(415, "The Content-Type must be application/json.");
	}
	let body;
	try {
		body = JSON.parse(request.isBase64Encoded ? Buffer.from(request.body, "base64").toString() : request.body);
	} catch {
		return problem(400, "The body is not JSON.");
	}
	if (typeof body?.answer !== "string" || body.answer === "") {
		return problem(422, "answer must be a string that is not empty.");
	}
	const id = uuid7();
	const now = String(Date.now());
	const rev = randomBytes(16).toString("hex");
	try {
		await dynamodb.send(new PutItemCommand({
			TableName: TABLE_NAME,
			Item: {
				pk: { S: id }, class: { S: `open#${shard(id)}` }, rev: { S: rev }, status: { S: "PENDING" },
				run: { N: "1" }, createdAt: { N: now }, updatedAt: { N: now }, answer: { S: body.answer },
			},
			ConditionExpression: "attribute_not_exists(#pk) OR #rev = :rev",
			ExpressionAttributeNames: { "#pk": "pk", "#rev": "rev" },
			ExpressionAttributeValues: { ":rev": { S: rev } },
		}));
	} catch (error) {
		const taken = error instanceof ConditionalCheckFailedException;
		return taken ? problem(409, "The task exists already.") : problem(503, "Try again later.");
	}
	try {
		await sqs.send(new SendMessageCommand({ QueueUrl: TASK_QUEUE_URL, MessageBody: JSON.stringify({ taskId: id, run: 1 }) }));
	} catch (error) {
		console.warn("messages not sent, left to reconcile", id, error);
	}
	return {
		statusCode: 202,
		headers: { "Content-Type": "application/json", Location: `${request.rawPath}/${id}` },
		body: JSON.stringify({ taskId: id, status: "PENDING", message: "Task submitted successfully" }),
	};
}

function problem(status, detail) {
	return { statusCode: status, headers: { "Content-Type": "application/problem+json" }, body: JSON.stringify({ status, detail }) };
}

// uuid7 returns an id that begins with the time.
function uuid7() {
	const bytes = randomBytes(16);
	bytes.writeUIntBE(Date.now(), 0, 6);
	bytes[6] = (bytes[6] & 0x0f) | 0x70;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// shard returns which of the index's partitions has an id: FNV-1a.
function shard(id) {
	let hash = 0x811c9dc5;
	for (const byte of Buffer.from(id)) {
		hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
	}
	return String(hash % 16).padStart(2, "0");
}
