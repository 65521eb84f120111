// What functions/submit does for a task, with the AWS SDK for JavaScript.
import { randomBytes, randomUUID } from "node:crypto";
import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { SQSClient, SendMessageCommand } from "@aws-sdk/client-sqs";
import { run } from "./runtime.mjs";

const dynamodb = new DynamoDBClient({});
const sqs = new SQSClient({});

await run(async (event) => {
  const text = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : event.body;
  const { answer } = JSON.parse(text);
  if (typeof answer !== "string" || answer.trim() === "") {
    return { statusCode: 422, body: JSON.stringify({ detail: "The member \"answer\" is blank." }) };
  }
  const taskId = randomUUID(), now = Date.now(), rev = randomBytes(16).toString("hex");
  await dynamodb.send(new PutItemCommand({
    TableName: process.env.TABLE_NAME,
    Item: {
      pk: { S: taskId }, class: { S: "open#0" }, rev: { S: rev }, status: { S: "PENDING" }, run: { N: "1" }, answer: { S: answer },
      createdAt: { N: String(now) }, updatedAt: { N: String(now) }, nextCheckAt: { N: String(now + 1200000) },
    },
    ConditionExpression: "attribute_not_exists(pk) OR rev = :rev",
    ExpressionAttributeValues: { ":rev": { S: rev } },
  }));
  await sqs.send(new SendMessageCommand({ QueueUrl: process.env.TASK_QUEUE_URL, MessageBody: JSON.stringify({ taskId, run: 1 }) }));
  return {
    statusCode: 202, headers: { "content-type": "application/json", location: "/dev/tasks/" + taskId },
    body: JSON.stringify({ taskId, status: "PENDING", message: "Task submitted successfully" }),
  };
});
