// Reads answers as `useChat` does. Input: {name: bytes as text}; output: {name: {message, error}}.
// The transport checks each chunk against the SDK's own schema.
import { readFileSync } from "node:fs";
import { DefaultChatTransport, readUIMessageStream } from "ai";

const results = {};
for (const [name, body] of Object.entries(JSON.parse(readFileSync(0, "utf8")))) {
  const fetch = async () => new Response(body, { headers: { "content-type": "text/event-stream" } });
  const errors = [];
  let message = null;
  try {
    const stream = await new DefaultChatTransport({ fetch }).sendMessages({ chatId: "c", messages: [] });
    const options = { stream, onError: (error) => errors.push(String(error.message ?? error)), terminateOnError: false };
    for await (const latest of readUIMessageStream(options)) message = latest;
  } catch (error) {
    errors.push(String(error));
  }
  results[name] = { message, errors };
}
process.stdout.write(JSON.stringify(results));
