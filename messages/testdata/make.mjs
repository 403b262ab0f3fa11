// Makes the golden examples beside it by another hand than the program's: node make.mjs, with @msgpack/msgpack 3 installed.
// Each example is written as bytes (NAME.msgpack) and as what they mean (NAME.json).
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
    meta: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [String.fromCharCode(97 + i).repeat(64), "y".repeat(256)])),
  },
};

const answered = { source: "asked", attempts: 1, asked_at_ms: 1795424398000, answered_at_ms: 1795424398210, expires_at_ms: 1795424458210, verified: "verified" };
const result = {
  "signed": {
    v: 1, id: "order-20261123-000017", partner: "2088001122334455", run: "b7Kq0Zr1T5c9yD2mXw8LsE", outcome: "signed", charge_agent: true, refund_charge: false,
    user_id: "20881234567890123456", is_success: "T", retryable: false, ...answered,
  },
  "not-signed": {
    v: 1, id: "7", key: "ticket 784-2216541122", partner: "2088001122334455", run: "c8Kq0Zr1T5c9yD2mXw8LsE", outcome: "not_signed", is_success: "F",
    code: "NO_SIGN_CUSTOMER", message: "the account has not signed", retryable: false, ...answered, source: "joined", verified: "unsigned",
  },
  abnormal: { v: 1, run: "d", outcome: "abnormal", is_success: "F", code: "NO_NORMAL_SIGN_CUSTOMER", retryable: false, ...answered, source: "remembered" },
  refused: { v: 1, id: "7", outcome: "refused", code: "BAD_REQUEST", message: "account_no: is not an account number; give 16 to 20 digits", retryable: false },
  accepted: { v: 1, id: "7", outcome: "accepted", retryable: false, answered_at_ms: 1795424398210 },
  unknown: {
    v: 1, id: "订单-17", partner: "2088001122334455", run: "e", outcome: "unknown", is_success: "F", code: "SYSTEM_ERROR", message: "the gateway is busy",
    retryable: true, retry_after_ms: 30000, ...answered, attempts: 5, verified: "unsigned", meta: { "航班": "CA1234" },
  },
};

for (const [kind, examples] of Object.entries({ query, result })) {
  mkdirSync(new URL(kind, import.meta.url), { recursive: true });
  for (const [name, value] of Object.entries(examples)) {
    writeFileSync(new URL(`${kind}/${name}.msgpack`, import.meta.url), encode(value));
    writeFileSync(new URL(`${kind}/${name}.json`, import.meta.url), JSON.stringify(value, null, 2) + "\n");
  }
}
