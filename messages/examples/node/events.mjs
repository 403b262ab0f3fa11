// Listens to the results of all runs: node events.mjs. With protocolq provision --listener NAME they are kept for a listener that is away.
import { connect } from "@nats-io/transport-node";

const nc = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222" });
const events = nc.subscribe("protocol.event.*.*"); // partner, outcome
await nc.flush();
console.log("listening");

for await (const m of events) {
  const event = m.json();
  console.log(event.outcome, event.code ?? "", event.user_email ?? event.account_no, "asked by", (event.ask_ids ?? []).join(" "));
}
