// Asks and waits for the answer: java Await E-MAIL.
import java.net.SocketTimeoutException;
import java.util.*;
import org.msgpack.value.*;

class Await {
    public static void main(String[] args) throws Exception {
        if (args.length != 1) throw new IllegalArgumentException("usage: java Await E-MAIL");
        Nats nats = new Nats();
        long deadline = System.currentTimeMillis() + 20_000;
        byte[] query = Body.write(Map.of("id", "refund-R-1001", "user_email", args[0], "deadline_ms", deadline));
        Map<String, Value> result = Map.of("outcome", ValueFactory.newString("unknown"), "code", ValueFactory.newString("NO_REPLY"));

        // Without a reply, and on "unknown", it is safe to send the same query again: equal questions cost one call.
        for (long wait = 200; ; wait *= 2) {
            try {
                Message reply = nats.request("protocol.query", query);
                if (reply.body().length > 0) { // empty: nobody is there
                    result = Body.read(reply.body());
                    if (!result.get("retryable").asBooleanValue().getBoolean()) break;
                    if (result.containsKey("retry_after_ms")) wait = result.get("retry_after_ms").asIntegerValue().asLong();
                }
            } catch (SocketTimeoutException lost) {
                System.err.println("no reply");
            }
            if (System.currentTimeMillis() + wait > deadline) break;
            Thread.sleep(wait);
        }
        System.out.println(Body.said(result));
    }
}
