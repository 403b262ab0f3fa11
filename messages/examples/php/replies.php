<?php // Reads the durable replies of refunds, also old ones: php replies.php. Ends after two seconds without a reply.
require __DIR__ . '/nats.php';

$nats = new Nats();
$done = []; // in earnest a table with the key id + run, written in the transaction of the effect
$next = '$JS.API.CONSUMER.MSG.NEXT.PROTOCOL_REPLIES.refunds'; // protocolq provision --asker refunds

while ([$body, $ack, $head] = $nats->request($next, '{"batch":1,"expires":2000000000}', 5)) {
    if (str_starts_with($head, 'NATS/1.0 503')) exit("nobody keeps replies of refunds: protocolq provision --asker refunds\n");
    if ($body === '') break; // none came
    $result = $body[0] === '{' ? json_decode($body, true) : msgpack_unpack($body); // as it was asked
    $once = "{$result['id']} " . ($result['run'] ?? '');
    if (!isset($done[$once])) {
        $done[$once] = $result['outcome'] !== 'unknown' ?: null; // it may be answered under the same run
        echo $result['outcome'] === 'signed'
            ? "{$result['id']} signed, debit: " . json_encode($result['charge_agent']) . ' refund: ' . json_encode($result['refund_charge'])
            : "{$result['id']} nothing may follow: {$result['outcome']} " . ($result['code'] ?? ''), "\n";
    }
    $nats->request($ack, '', 5); // only now, and awaited: a reply that is not acknowledged comes again
}
