<?php // Listens to the results of all runs: php events.php. With protocolq provision --listener NAME they are kept for a listener that is away.
require __DIR__ . '/nats.php';

$nats = new Nats();
$events = $nats->subscribe('protocol.event.*.*'); // partner, outcome
echo "listening\n";

while (true) {
    if (!$message = $nats->next($events, 60)) continue;
    $event = json_decode($message[0], true);
    echo $event['outcome'], ' ', $event['code'] ?? '', ' ', $event['user_email'] ?? $event['account_no'], ' asked by ', implode(' ', $event['ask_ids'] ?? []), "\n";
}
