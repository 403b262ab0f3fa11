// Listens to what comes of every run: node events.mjs. protocolq provision --listener NAME keeps them for who is away.
import { connect } from "@nats-io/transport-node";

const nc = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222" });
const events = nc.subscribe("protocol.event.*.*"); // partner, outcome
await nc.flush();
console.log("listening");

for await (const m of events) {
  const event = m.json();
  console.log(event.outcome, event.code ?? "", event.user_email ?? event.account_no, "asked by", (event.ask_ids ?? []).join(" "));
}
