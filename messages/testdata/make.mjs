// Makes the golden examples beside it by another hand than the program's: node make.mjs, with @msgpack/msgpack 3 installed.
// Each example is written as bytes (NAME.msgpack) and as what they mean (NAME.json).
import { createHash } from "node:crypto";
import { encode } from "@msgpack/msgpack";
import { mkdirSync, writeFileSync } from "node:fs";

const query = {
  typical: {
    v: 1, id: "order-20261123-000017", partner: "2088001122334455", user_email: "zhang.san@example.com", account_no: "20881234567890123456",
    deadline_ms: 1795424400000, reply_to: "_INBOX.b7Kq0Zr1T5c9yD2mXw8LsE.1",
  },
  least: { v: 1, account_no: "2088123456789012" },
  "given-key": { v: 1, id: "7", key: "ticket 784-2216541122", partner: "2088001122334455", user_email: "13800138000", biz_type: "10004" },
  fresh: { v: 1, user_email: "a@b.cn", max_age_ms: 0 },
  "fresh-enough": { v: 1, user_email: "a@b.cn", max_age_ms: 86400000 },
  chinese: { v: 1, id: "订单-17", user_email: "张三@example.com", meta: { "航班": "CA1234", "舱位": "经济舱 🙂" } },
  "most-meta": {
    v: 1, id: "x".repeat(128), account_no: "20881234567890123456",
    meta: Object.fromEntries(Array.from({ length: 16 }, (_, i) => { // 1024 bytes in all
      const [name, value] = { 0: [64, 256], 15: [30, 30] }[i] ?? [23, 23];
      return [String.fromCharCode(97 + i).repeat(name), "y".repeat(value)];
    })),
  },
};

// question is what a Result says that was asked, for a query or, without a partner in it, for that of its Result.
const field = (s) => [Buffer.from(Uint32Array.of(Buffer.byteLength(s)).buffer).swap32(), Buffer.from(s)];
const question = (q, partner = q.partner) => {
  const fields = ["q", partner, q.biz_type ?? "10004", (q.user_email ?? "").trim().replace(/[A-Z]/g, (c) => c.toLowerCase()), q.account_no ?? ""];
  return createHash("sha256").update(Buffer.concat(fields.flatMap(field))).digest("hex").slice(0, 32);
};
const partner = "2088001122334455";

const answered = { source: "asked", attempts: 1, asked_at_ms: 1795424398000, answered_at_ms: 1795424398210, expires_at_ms: 1795424458210, verified: "verified" };
const result = {
  "signed": {
    v: 1, id: "order-20261123-000017", partner, run: "b7Kq0Zr1T5c9yD2mXw8LsE", question: question(query.typical), outcome: "signed", charge_agent: true, refund_charge: false,
    user_id: "20881234567890123456", is_success: "T", retryable: false, ...answered,
  },
  "not-signed": {
    v: 1, id: "7", key: "ticket 784-2216541122", partner, run: "c8Kq0Zr1T5c9yD2mXw8LsE", question: question(query["given-key"]), outcome: "not_signed", is_success: "F",
    code: "NO_SIGN_CUSTOMER", message: "the account has not signed", retryable: false, ...answered, source: "joined", verified: "unsigned",
  },
  abnormal: { v: 1, partner, run: "d", question: question(query.fresh, partner), outcome: "abnormal", is_success: "F", code: "NO_NORMAL_SIGN_CUSTOMER", retryable: false, ...answered, source: "remembered" },
  refused: { v: 1, id: "7", outcome: "refused", code: "BAD_REQUEST", message: "account_no: is not an account number; give 16 to 20 digits", retryable: false },
  accepted: { v: 1, id: "7", partner, question: question(query["given-key"]), outcome: "accepted", retryable: false, answered_at_ms: 1795424398210 },
  unknown: {
    v: 1, id: "订单-17", partner, run: "e", question: question(query.chinese, partner), outcome: "unknown", is_success: "F", code: "SYSTEM_ERROR", message: "the gateway is busy",
    retryable: true, retry_after_ms: 30000, ...answered, attempts: 5, verified: "unsigned", meta: { "航班": "CA1234" },
  },
};

const ran = { attempts: 1, asked_at_ms: 1795424398000, expires_at_ms: 1795424458210 };
const event = {
  signed: {
    v: 1, run: "b7Kq0Zr1T5c9yD2mXw8LsE", partner, user_email: "z***@e***.com", account_no: "2088****3456", outcome: "signed", charge_agent: true, refund_charge: false,
    ...ran, ask_ids: ["order-20261123-000017", "order-20261123-000018"], asks: 3,
  },
  "not-signed": { v: 1, run: "c8Kq0Zr1T5c9yD2mXw8LsE", key: "ticket 784-2216541122", partner, user_email: "1***", outcome: "not_signed", code: "NO_SIGN_CUSTOMER", ...ran, ask_ids: ["7"], asks: 1 },
  abnormal: { v: 1, run: "d", partner, user_email: "a***@b***.cn", outcome: "abnormal", code: "NO_NORMAL_SIGN_CUSTOMER", ...ran, asks: 1 },
  refused: { v: 1, run: "e", partner, account_no: "2088****9012", outcome: "refused", code: "ILLEGAL_SIGN", ...ran, ask_ids: ["订单-17"], asks: 1 },
  unknown: { v: 1, run: "f", partner, outcome: "unknown", code: "SYSTEM_ERROR", ...ran, attempts: 5, ask_ids: ["r***@m***.com"], asks: 1 },
  least: { v: 1, run: "g", partner, outcome: "unknown", attempts: 0 },
};

for (const [kind, examples] of Object.entries({ query, result, event })) {
  mkdirSync(new URL(kind, import.meta.url), { recursive: true });
  for (const [name, value] of Object.entries(examples)) {
    if (kind !== "event") writeFileSync(new URL(`${kind}/${name}.msgpack`, import.meta.url), encode(value)); // an event is always JSON
    writeFileSync(new URL(`${kind}/${name}.json`, import.meta.url), JSON.stringify(value, null, 2) + "\n");
  }
}

// A dead letter's body is the query's own bytes, all else about it is in its subject and its headers.
const text = (v) => Buffer.from(JSON.stringify(v));
const bad = { user_mail: "zhang.san@example.com" }, long = text({ id: "8", account_no: "2088123456789012", meta: { note: "x".repeat(1500) } });
const dead = {
  expired: [encode(query.typical), { "Content-Type": "application/msgpack", "Nats-Msg-Id": "7-1795424398000000000/expired", "Protocol-Door": "submit", "Protocol-Id": "order-20261123-000017",
    "Protocol-Last-Code": "SYSTEM_ERROR", "Protocol-Partner": partner, "Protocol-Reason": "the deadline passed before there was an answer; ask again with a later one",
    "Protocol-Reply-To": "protocol.reply.refunds", "Protocol-Stored": "1795424398000", "Protocol-Subject": `protocol.submit.${partner}.refunds`, "Protocol-Token": "7-1795424398000000000", "Protocol-Tries": "5" }],
  crashed: [encode(query["given-key"]), { "Content-Type": "application/msgpack", "Nats-Msg-Id": "8-1795424398000000000/crashed", "Protocol-Door": "query", "Protocol-Id": "7", "Protocol-Last-Code": "CRASHED",
    "Protocol-Partner": partner, "Protocol-Reason": "the worker that asked died before it stored the answer", "Protocol-Reply-To": "protocol.reply.booking",
    "Protocol-Stored": "1795424398000", "Protocol-Subject": `protocol.query.${partner}.booking`, "Protocol-Token": "8-1795424398000000000", "Protocol-Tries": "1" }],
  unreadable: [text(bad), { "Content-Type": "application/json", "Nats-Msg-Id": "9-1795424398000000000/unreadable", "Protocol-Door": "submit", "Protocol-Reason": "BAD_REQUEST: user_mail: is not a field of a query; did you mean user_email?",
    "Protocol-Redriven": "1", "Protocol-Subject": "protocol.submit", "Protocol-Token": "9-1795424398000000000" }],
  cut: [long.subarray(0, 1024), { "Content-Type": "application/json", "Nats-Msg-Id": "10-1795424398000000000/unreadable", "Protocol-Body-Sha256": createHash("sha256").update(long).digest("hex"),
    "Protocol-Door": "submit", "Protocol-Id": "8", "Protocol-Reason": `BAD_REQUEST: meta: the value of "note" is 1500 bytes long; at most 256; the first 1024 of ${long.length} bytes`, "Protocol-Subject": "protocol.submit", "Protocol-Token": "10-1795424398000000000" }],
};
mkdirSync(new URL("dead", import.meta.url), { recursive: true });
for (const [name, [body, headers]] of Object.entries(dead)) {
  const reason = headers["Nats-Msg-Id"].split("/")[1];
  writeFileSync(new URL(`dead/${name}.body`, import.meta.url), body);
  writeFileSync(new URL(`dead/${name}.json`, import.meta.url), JSON.stringify({ subject: `protocol.dead.${reason}`, headers }, null, 2) + "\n");
}
