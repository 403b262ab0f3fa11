// Listens to what comes of every run: java Events. protocolq provision --listener NAME keeps them for who is away.
class Events {
    public static void main(String[] args) throws Exception {
        Nats nats = new Nats();
        int events = nats.subscribe("protocol.event.*.*"); // partner, outcome
        System.out.println("listening");
        while (true) System.out.println(new String(nats.next(events).body(), "UTF-8")); // always JSON
    }
}
