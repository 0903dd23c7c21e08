// Reads answers with the client of AG-UI, which verifies them. Input: {name: bytes as text}; output:
// {name: {messages, outcome, errors}}. What it warns of is an error too: it has left something out.
import { readFileSync } from "node:fs";
import { HttpAgent } from "@ag-ui/client";

let errors = [];
console.warn = (...words) => errors.push(words.map(String).join(" "));
console.error = () => {}; // of a run that fails, which `onRunFailed` reports

const results = {};
for (const [name, body] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  errors = [];
  const fetch = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
  const agent = new HttpAgent({ url: "http://127.0.0.1/", threadId: "thread", fetch });
  let outcome = null;
  const subscriber = {
    onRunFinishedEvent: ({ event }) => { outcome = event.outcome ?? null; },
    onRunErrorEvent: ({ event }) => { outcome = { type: "error", message: event.message, code: event.code }; },
  };
  try {
    await agent.runAgent({ runId: "run" }, subscriber);
  } catch (error) {
    if (outcome?.type !== "error") errors.push(String(error));
  }
  results[name] = { messages: agent.messages, outcome, errors };
}
process.stdout.write(JSON.stringify(results));
