// Reads a stream of a gateway with the official client, kills the process that sends it, and asks another for the rest.
// Input: {first, sender, second: base URLs, kill: process id, cut: number of events, background}.
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const given = JSON.parse(readFileSync(0, "utf8"));
const client = (baseURL, apiKey = "sk-caller-1") => new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const request = { model: "m", input: "Hi", stream: true, background: given.background };
const events = [];
let id = null;
let stream = await client(given.first).responses.create(request);
if (given.sender !== given.first) {
  for await (const event of stream) {
    id = event.response.id;
    break;
  }
  stream = await client(given.sender).responses.retrieve(id, { stream: true });
}
try {
  for await (const event of stream) {
    events.push(event);
    id ??= event.response.id;
    if (events.length === given.cut) process.kill(given.kill, "SIGKILL");
  }
} catch (error) {
  if (events.length < given.cut) throw error;
}
const before = events.length;
const after = { stream: true, starting_after: events.at(-1).sequence_number };
for await (const event of await client(given.second).responses.retrieve(id, after)) events.push(event);
const whole = (await client(given.second).responses.retrieve(id)).output_text;
const other = await client(given.second).responses.retrieve("resp_never").catch((error) => error.status);
const deltas = events.filter((event) => event.type === "response.output_text.delta");
const numbers = events.map((event) => event.sequence_number);
process.stdout.write(JSON.stringify({ numbers, before, text: deltas.map((event) => event.delta).join(""), whole, other }));
