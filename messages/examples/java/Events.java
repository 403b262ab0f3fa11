// Listens to the results of all runs: java Events. With protocolq provision --listener NAME they are kept for a listener that is away.
class Events {
    public static void main(String[] args) throws Exception {
        Nats nats = new Nats();
        int events = nats.subscribe("protocol.event.*.*"); // partner, outcome
        System.out.println("listening");
        while (true) System.out.println(new String(nats.next(events).body(), "UTF-8")); // always JSON
    }
}
