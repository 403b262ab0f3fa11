<?php // Asks and waits for the answer: php await.php E-MAIL. In MessagePack (php-msgpack); json_encode does as well.
require __DIR__ . '/nats.php';
if ($argc !== 2) exit("usage: php await.php E-MAIL\n");

// Without a reply, and on "unknown", it is safe to send the same query again: equal questions cost one call.
function ask(Nats $nats, array $query): array
{
    for ($wait = 200, $result = ['outcome' => 'unknown', 'code' => 'NO_REPLY'];; $wait *= 2) {
        [$body] = $nats->request('protocol.query', msgpack_pack($query), 5) ?? [''];
        if ($body !== '') { // empty: nobody is there
            $result = msgpack_unpack($body);
            if (!$result['retryable']) return $result;
            $wait = $result['retry_after_ms'] ?? $wait;
        }
        if (microtime(true) * 1000 + $wait > $query['deadline_ms']) return $result;
        usleep($wait * 1000);
    }
}

$result = ask(new Nats(), ['id' => 'refund-R-1001', 'user_email' => $argv[1], 'deadline_ms' => (int) (microtime(true) * 1000) + 20000]);
echo match ($result['outcome']) {
    'signed' => 'signed, debit: ' . json_encode($result['charge_agent']) . ' refund: ' . json_encode($result['refund_charge']),
    'not_signed', 'abnormal' => "stop: {$result['outcome']}",
    default => "nothing may follow: {$result['outcome']} {$result['code']} " . ($result['message'] ?? ''), // unknown is never a no
}, "\n";
