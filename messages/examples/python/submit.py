# Asks without waiting: python3 submit.py ID E-MAIL. The answer waits at protocol.reply.refunds; replies.py reads it.
import asyncio, json, os, sys, uuid
import nats


async def main(id, email):
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    query = {"id": id, "user_email": email, "reply_to": "protocol.reply.refunds"}
    # One message id for all tries of this ask. To ask again later, for example after an unknown, take another id.
    headers = {"Nats-Msg-Id": str(uuid.uuid4())}
    # Once it is acknowledged it will be answered, even if workers die. After an error it may be stored or not: publish again.
    ack = await nc.jetstream().publish("protocol.submit", json.dumps(query).encode(), headers=headers)
    print("kept in", ack.stream)
    await nc.close()


if len(sys.argv) != 3:
    sys.exit("usage: python3 submit.py ID E-MAIL")
asyncio.run(main(*sys.argv[1:]))
