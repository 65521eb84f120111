// What functions/process does for an attempt, with the AWS SDK for JavaScript and a
// worker that does nothing.
import { randomBytes } from "node:crypto";
import { DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { run } from "./runtime.mjs";

const dynamodb = new DynamoDBClient({});

await run(async (input) => {
  const token = randomBytes(16).toString("hex"), now = String(Date.now());
  const update = (expression, condition, values) => dynamodb.send(new UpdateItemCommand({
    TableName: process.env.TABLE_NAME, Key: { pk: { S: input.taskId } },
    UpdateExpression: expression, ConditionExpression: condition, ReturnValues: "ALL_NEW",
    ExpressionAttributeNames: { "#status": "status", "#owner": "owner" }, ExpressionAttributeValues: values,
  }));
  await update("SET #status = :to, #owner = :token, executionId = :execution, leaseUntil = :lease, updatedAt = :now, attempts = :attempts", "#status = :from", {
    ":from": { S: "PENDING" }, ":to": { S: "PROCESSING" }, ":token": { S: token }, ":execution": { S: input.executionId },
    ":lease": { N: now }, ":now": { N: now }, ":attempts": { L: [{ M: { number: { N: "1" }, run: { N: "1" }, startedAt: { N: now } } }] },
  });
  await update("SET #status = :to, updatedAt = :now, expiresAt = :now, attempts[0].finishedAt = :now REMOVE leaseUntil", "#owner = :token AND #status = :from", {
    ":from": { S: "PROCESSING" }, ":to": { S: "PROCESSED" }, ":token": { S: token }, ":now": { N: now },
  });
  return { taskId: input.taskId, run: input.run, outcome: "processed" };
});
