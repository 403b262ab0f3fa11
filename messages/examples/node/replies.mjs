// Reads the durable replies of refunds, also old ones: node replies.mjs. Ends after two seconds without a reply.
import { connect } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";
import { decode } from "@msgpack/msgpack";

const nc = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222" });
const replies = await jetstream(nc).consumers.get("PROTOCOL_REPLIES", "refunds"); // protocolq provision --asker refunds
const done = new Set(); // in earnest a table with the key id + run, written in the transaction of the effect

for (let m; (m = await replies.next({ expires: 2_000 })); ) {
  const result = m.headers?.get("Content-Type") === "application/json" ? m.json() : decode(m.data); // as it was asked
  const once = `${result.id} ${result.run}`;
  if (!done.has(once)) {
    if (result.outcome !== "unknown") done.add(once); // what is unknown may be answered under the same run
    if (result.outcome === "signed") console.log(result.id, "signed, debit:", result.charge_agent, "refund:", result.refund_charge);
    else console.log(result.id, "nothing may follow:", result.outcome, result.code ?? "");
  }
  m.ack(); // only now: a reply that is not acknowledged comes again
}
await nc.close();
