# Listens to the results of all runs: python3 events.py. With protocolq provision --listener NAME they are kept for a listener that is away.
import asyncio, json, os
import nats


async def main():
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    events = await nc.subscribe("protocol.event.*.*")  # partner, outcome
    await nc.flush()
    print("listening", flush=True)
    async for msg in events.messages:
        event = json.loads(msg.data)
        who = event.get("user_email") or event.get("account_no")
        print(event["outcome"], event.get("code", ""), who, "asked by", *event.get("ask_ids", []), flush=True)


asyncio.run(main())
