// Reads the durable replies of refunds, also old ones: java Replies. Ends after two seconds without a reply.
import java.util.HashSet;

class Replies {
    public static void main(String[] args) throws Exception {
        Nats nats = new Nats();
        var done = new HashSet<String>(); // in earnest a table with the key id + run, written in the transaction of the effect
        String next = "$JS.API.CONSUMER.MSG.NEXT.PROTOCOL_REPLIES.refunds"; // protocolq provision --asker refunds
        while (true) {
            Message message = nats.request(next, "{\"batch\":1,\"expires\":2000000000}".getBytes());
            if (message.head().startsWith("NATS/1.0 503")) System.out.println("nobody keeps replies of refunds: protocolq provision --asker refunds");
            if (message.body().length == 0) break; // none came
            if (message.body()[0] == '{') { // asked in JSON, so answered in JSON: not acknowledged, it stays for who reads that
                System.out.println("a reply in JSON stays: " + new String(message.body(), "UTF-8"));
                continue;
            }
            var result = Body.read(message.body());
            boolean unknown = "unknown".equals(result.get("outcome").toString()); // it may be answered under the same run
            if (unknown || done.add(result.get("id") + " " + result.get("run"))) System.out.println(result.get("id") + " " + Body.said(result));
            nats.request(message.reply(), new byte[0]); // only now, and awaited: what is not acknowledged comes again
        }
    }
}
