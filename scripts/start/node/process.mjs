// What functions/process does with the first attempt of a task, for the comparison in
// scripts/bench-start: it claims the task under a condition, works, and records the
// outcome under a condition.
import { randomBytes } from "node:crypto";
import { ConditionalCheckFailedException, DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";

const { TABLE_NAME, FAILURE_RATE, RETENTION_DAYS } = process.env;
const dynamodb = new DynamoDBClient({ maxAttempts: 4 });

export async function handler({ taskId, run, retryCount, executionId }, context) {
	const token = randomBytes(16).toString("hex");
	const started = Date.now();
	const claimed = await update(taskId, {
		change: "SET #status = :processing, executionId = :execution, #owner = :token, leaseUntil = :lease, updatedAt = :now, attempts = :attempts, rev = :token REMOVE nextAttemptAt",
		condition: "#status = :pending AND run = :run AND attribute_not_exists(attempts) AND attribute_not_exists(answerBytes)",
		names: { "#status": "status", "#owner": "owner" },
		values: {
			":pending": { S: "PENDING" }, ":processing": { S: "PROCESSING" }, ":run": { N: String(run) },
			":execution": { S: executionId }, ":token": { S: token }, ":now": { N: String(started) },
			":lease": { N: String(started + context.getRemainingTimeInMillis() + 10_000) },
			":attempts": { L: [{ M: { number: { N: "1" }, run: { N: String(run) }, startedAt: { N: String(started) }, retryCount: { N: String(retryCount) } } }] },
		},
	});
	if (claimed === undefined) {
		return { taskId, run, outcome: "skipped" };
	}
	await work(claimed.answer.S);
	const finished = Date.now();
	const recorded = await update(taskId, {
		change: "SET #class = :class, #status = :processed, updatedAt = :now, attempts[0].finishedAt = :now, expiresAt = :expires, rev = :rev REMOVE leaseUntil",
		condition: "#owner = :token AND #status = :processing AND size(attempts) = :one AND attribute_not_exists(answerExpiresAt)",
		names: { "#class": "class", "#status": "status", "#owner": "owner" },
		values: {
			":class": { S: claimed.class.S.replace("open", "done") }, ":processed": { S: "PROCESSED" }, ":processing": { S: "PROCESSING" },
			":now": { N: String(finished) }, ":token": { S: token }, ":one": { N: "1" }, ":rev": { S: randomBytes(16).toString("hex") },
			":expires": { N: String(Math.ceil(finished / 1000) + 86_400 * Number(RETENTION_DAYS)) },
		},
	});
	return { taskId, run, outcome: recorded === undefined ? "superseded" : "processed" };
}

// update changes a task's record if a condition holds, and returns it.
async function update(id, { change, condition, names, values }) {
	try {
		const { Attributes } = await dynamodb.send(new UpdateItemCommand({
			TableName: TABLE_NAME, Key: { pk: { S: id } },
			UpdateExpression: change, ConditionExpression: condition,
			ExpressionAttributeNames: names, ExpressionAttributeValues: values,
			ReturnValues: "ALL_NEW", ReturnValuesOnConditionCheckFailure: "ALL_OLD",
		}));
		return Attributes;
	} catch (error) {
		if (error instanceof ConditionalCheckFailedException) {
			return undefined;
		}
		throw error;
	}
}

// work is the simulated worker.
async function work() {
	if (Math.random() < Number(FAILURE_RATE)) {
		throw new Error("simulated failure");
	}
}
