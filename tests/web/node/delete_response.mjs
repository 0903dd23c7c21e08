// Makes a response at a gateway, lists its input, deletes it, and asks for it again. Input: {url, input}.
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const given = JSON.parse(readFileSync(0, "utf8"));
const client = new OpenAI({ baseURL: given.url, apiKey: "sk-caller-1", maxRetries: 0 });
const { id } = await client.responses.create({ model: "m", input: given.input });
const items = [];
for await (const item of client.responses.inputItems.list(id)) items.push(item.content[0].text);
await client.responses.delete(id);
const status = (error) => error.status;
const after = await client.responses.retrieve(id).then(() => 200, status);
const again = await client.responses.delete(id).then(() => 200, status);
process.stdout.write(JSON.stringify({ items, after, again }));
