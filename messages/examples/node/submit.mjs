// Asks without waiting: node submit.mjs ID E-MAIL. The answer waits at protocol.reply.refunds; replies.mjs reads it.
import { connect } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";

const [id, user_email] = process.argv.slice(2);
if (!user_email) {
  console.error("usage: node submit.mjs ID E-MAIL");
  process.exit(2);
}
const nc = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222" });
const query = { id, user_email, reply_to: "protocol.reply.refunds" };

// One message id for all tries of this ask. To ask again later, for example after an unknown, take another id.
const msgID = crypto.randomUUID();
// Once it is acknowledged it will be answered, even if workers die. After an error it may be stored or not: publish again.
const ack = await jetstream(nc).publish("protocol.submit", JSON.stringify(query), { msgID, retries: 10 });
console.log("kept in", ack.stream);
await nc.close();
