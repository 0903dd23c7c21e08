// A chat by `useChat`: it asks three times, approves what waits for approval, stops the third answer, and reports.
import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport } from "ai";
import { useEffect, useRef } from "react";
import { createRoot } from "react-dom/client";

const post = (path, value) =>
  fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });

function Chat() {
  const step = useRef(0);
  const approved = useRef(new Set());
  const { messages, sendMessage, status, error, stop } = useChat({
    transport: new DefaultChatTransport({ api: "/chat" }),
  });
  const last = messages.at(-1);
  const parts = last?.role === "assistant" ? last.parts : [];

  useEffect(() => {
    for (const part of parts) {
      if (part.state === "approval-requested" && !approved.current.has(part.approval.id)) {
        approved.current.add(part.approval.id);
        void post("/approve", { id: part.approval.id });
      }
    }
    if (status === "error") void post("/report", { messages, error: String(error) });
    if (status === "streaming" && step.current === 3 && parts.some((part) => part.type === "text" && part.text)) {
      step.current = 4;
      void stop();
    }
    const sent = messages.filter((message) => message.role === "user").length;
    if (status !== "ready" || sent < Math.min(step.current, 3)) return; // it is rendered before the message is there
    if (step.current > 0 && last?.role !== "assistant") return;
    if (step.current < 3) {
      step.current += 1;
      void sendMessage({ text: ["Hi", "And?", "Go on"][step.current - 1] });
    } else if (step.current === 4) {
      step.current = 5;
      void post("/report", { messages, error: null });
    }
  }, [status, messages]);
  return null;
}

createRoot(document.body.appendChild(document.createElement("div"))).render(<Chat />);
