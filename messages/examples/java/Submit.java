// Asks without waiting: java Submit ID E-MAIL. The answer waits at protocol.reply.refunds; Replies reads it.
import java.util.Map;

class Submit {
    public static void main(String[] args) throws Exception {
        if (args.length != 2) throw new IllegalArgumentException("usage: java Submit ID E-MAIL");
        byte[] query = Body.write(Map.of("id", args[0], "user_email", args[1], "reply_to", "protocol.reply.refunds"));
        // Once it is acknowledged it will be answered, even if workers die. Without an acknowledgement, or with an error in it, publish again.
        String ack = new String(new Nats().request("protocol.submit", query).body(), "UTF-8");
        System.out.println(ack.contains("\"stream\":") ? "kept in PROTOCOL_SUBMITTED" : "not acknowledged, try again: " + ack);
    }
}
