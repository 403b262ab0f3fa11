# Reads the durable replies of refunds, also old ones: python3 replies.py. Ends after two seconds without a reply.
import asyncio, json, os
import msgpack, nats


async def main():
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    replies = await nc.jetstream().pull_subscribe_bind("refunds", "PROTOCOL_REPLIES")  # protocolq provision --asker refunds
    done = set()  # in earnest a table with the key id + run, written in the transaction of the effect
    while True:
        try:
            [msg] = await replies.fetch(1, timeout=2)
        except nats.errors.TimeoutError:
            break
        result = json.loads(msg.data) if msg.data.startswith(b"{") else msgpack.unpackb(msg.data)  # as it was asked
        once = (result.get("id"), result.get("run"))
        if once not in done:
            if result["outcome"] != "unknown":  # it may be answered under the same run
                done.add(once)
            if result["outcome"] == "signed":
                print(result["id"], "signed, debit:", result["charge_agent"], "refund:", result["refund_charge"])
            else:
                print(result["id"], "nothing may follow:", result["outcome"], result.get("code", ""))
        await msg.ack()  # only now: a reply that is not acknowledged comes again
    await nc.close()


asyncio.run(main())
