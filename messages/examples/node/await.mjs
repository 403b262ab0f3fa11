// Asks and waits for the answer: node await.mjs E-MAIL. In MessagePack; JSON.stringify and m.json() work, too.
import { connect } from "@nats-io/transport-node";
import { decode, encode } from "@msgpack/msgpack"; // or { pack as encode, unpack as decode } of msgpackr

const [user_email] = process.argv.slice(2);
if (!user_email) {
  console.error("usage: node await.mjs E-MAIL");
  process.exit(2);
}
const nc = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222" });
const query = { id: "refund-R-1001", user_email, deadline_ms: Date.now() + 20_000 };

// Without a reply, and on "unknown", it is safe to send the same query again: equal questions cost one call.
async function ask() {
  for (let wait = 200, result = { outcome: "unknown", code: "NO_REPLY" }; ; wait *= 2) {
    try {
      result = decode((await nc.request("protocol.query", encode(query), { timeout: 5_000 })).data);
      if (!result.retryable) return result;
      wait = result.retry_after_ms ?? wait;
    } catch (err) {
      console.error("no reply:", err.message);
    }
    if (Date.now() + wait > query.deadline_ms) return result;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

const result = await ask();
switch (result.outcome) {
  case "signed":
    console.log("signed, debit:", result.charge_agent, "refund:", result.refund_charge);
    break;
  case "not_signed":
  case "abnormal":
    console.log("stop:", result.outcome);
    break;
  default: // unknown is never a no
    console.log("nothing may follow:", result.outcome, result.code, result.message ?? "");
}
await nc.close();
