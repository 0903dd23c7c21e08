// Reads the API's own events by `EventSource` until the response is complete, and reports them with their ids.
const seen = [];
const source = new EventSource("/events");
let opened = 0;
source.onopen = () => { opened += 1; };
for (const type of ["created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
  "output_text.done", "content_part.done", "output_item.done", "completed"]) {
  source.addEventListener(`response.${type}`, (event) => {
    seen.push([event.type, event.lastEventId, JSON.parse(event.data)]);
    if (event.type !== "response.completed") return;
    source.close();
    void fetch("/report", { method: "POST", body: JSON.stringify({ seen, opened }) });
  });
}
