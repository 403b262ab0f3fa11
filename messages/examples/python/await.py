# Asks and waits for the answer: python3 await.py E-MAIL. In MessagePack; json.dumps(query).encode() works, too.
import asyncio, os, sys, time
import msgpack, nats


# Without a reply, and on "unknown", it is safe to send the same query again: equal questions cost one call.
async def ask(nc, query):
    wait, result = 0.2, {"outcome": "unknown", "code": "NO_REPLY"}
    while True:
        try:
            result = msgpack.unpackb((await nc.request("protocol.query", msgpack.packb(query), timeout=5)).data)
            if not result["retryable"]:
                return result
            wait = result.get("retry_after_ms", wait * 1000) / 1000
        except (nats.errors.TimeoutError, nats.errors.NoRespondersError) as err:
            print("no reply:", err, file=sys.stderr)
        if (time.time() + wait) * 1000 > query["deadline_ms"]:
            return result
        await asyncio.sleep(wait)
        wait *= 2


async def main(email):
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    result = await ask(nc, {"id": "refund-R-1001", "user_email": email, "deadline_ms": int(time.time() * 1000) + 20_000})
    match result["outcome"]:
        case "signed":
            print("signed, debit:", result["charge_agent"], "refund:", result["refund_charge"])
        case "not_signed" | "abnormal":
            print("stop:", result["outcome"])
        case outcome:  # unknown is never a no
            print("nothing may follow:", outcome, result.get("code"), result.get("message", ""))
    await nc.close()


if len(sys.argv) != 2:
    sys.exit("usage: python3 await.py E-MAIL")
asyncio.run(main(sys.argv[1]))
