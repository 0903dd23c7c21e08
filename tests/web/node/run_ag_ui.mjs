// Runs an agent of AG-UI against a server: it asks, answers the call of its own tool, and asks on.
import { readFileSync } from "node:fs";
import { HttpAgent } from "@ag-ui/client";

const { url } = JSON.parse(readFileSync(0, "utf8"));
const agent = new HttpAgent({ url, threadId: "thread" });
const outcomes = [];
const subscriber = { onRunFinishedEvent: ({ event }) => { outcomes.push(event.outcome ?? null); } };
const tools = [{ name: "pick", description: "Pick a color.", parameters: { type: "object", properties: {} } }];

agent.messages = [{ id: "u1", role: "user", content: "Hi" }];
await agent.runAgent({ runId: "run1", tools }, subscriber);
const call = agent.messages.flatMap((message) => message.toolCalls ?? []).at(-1);
agent.addMessage({ id: "t1", role: "tool", toolCallId: call.id, content: "red" });
await agent.runAgent({ runId: "run2", tools }, subscriber);
process.stdout.write(JSON.stringify({ messages: agent.messages, outcomes }));
