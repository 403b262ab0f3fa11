<?php // Asks without waiting: php submit.php ID E-MAIL. The answer waits at protocol.reply.refunds; replies.php reads it.
require __DIR__ . '/nats.php';
if ($argc !== 3) exit("usage: php submit.php ID E-MAIL\n");

$query = ['id' => $argv[1], 'user_email' => $argv[2], 'reply_to' => 'protocol.reply.refunds'];

// Once it is acknowledged it will be answered, even if workers die. Without an acknowledgement, or with an error in it, publish again.
[$body] = (new Nats())->request('protocol.submit', json_encode($query), 5) ?? ['{}'];
$ack = json_decode($body, true);
if (!isset($ack['stream'])) exit("not acknowledged, try again: $body\n");
echo "kept in {$ack['stream']}\n";
