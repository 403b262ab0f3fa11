// The part of the NATS protocol that the examples need, over a socket. io.nats:jnats from Maven has TLS, reconnects and credentials.
import java.io.*;
import java.net.*;
import java.util.*;
import static java.nio.charset.StandardCharsets.ISO_8859_1; // bytes as they are
record Message(byte[] body, String reply, String head) {}

class Nats {
    private final URI url = URI.create(System.getenv().getOrDefault("NATS_URL", "nats://127.0.0.1:4222"));
    private final Socket socket = new Socket(url.getHost(), url.getPort());
    private final InputStream in = new BufferedInputStream(socket.getInputStream());
    private int last;

    Nats() throws IOException { send("CONNECT {\"verbose\":false,\"lang\":\"java\",\"version\":\"1\",\"headers\":true,\"no_responders\":true}"); }
    private void send(String line) throws IOException { socket.getOutputStream().write((line + "\r\n").getBytes(ISO_8859_1)); }
    int subscribe(String subject) throws IOException { send("SUB " + subject + " " + ++last); return last; }

    /** The next message of a subscription. */
    Message next(int sid) throws IOException {
        while (true) {
            StringBuilder line = new StringBuilder();
            for (int c; (c = in.read()) != '\n'; line.append((char) c)) if (c < 0) throw new EOFException("NATS is gone");
            String[] words = line.toString().trim().split(" ");
            if (words[0].equals("-ERR")) throw new IOException(line.toString());
            if (words[0].equals("PING")) send("PONG");
            if (!words[0].endsWith("MSG")) continue; // MSG subject sid [reply] bytes, HMSG subject sid [reply] head bytes
            byte[] all = in.readNBytes(Integer.parseInt(words[words.length - 1]) + 2);
            int head = words[0].equals("HMSG") ? Integer.parseInt(words[words.length - 2]) : 0;
            String reply = words.length > (head > 0 ? 5 : 4) ? words[3] : "";
            if (words[2].equals("" + sid)) return new Message(Arrays.copyOfRange(all, head, all.length - 2), reply, new String(all, 0, head, ISO_8859_1));
        }
    }
    Message request(String subject, byte[] body) throws IOException {
        String inbox = "_INBOX." + UUID.randomUUID();
        int sid = subscribe(inbox);
        send("UNSUB " + sid + " 1\r\nPUB " + subject + " " + inbox + " " + body.length + "\r\n" + new String(body, ISO_8859_1));
        socket.setSoTimeout(5_000); // then a SocketTimeoutException
        return next(sid);
    }
}
