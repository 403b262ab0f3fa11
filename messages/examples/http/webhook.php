<?php // Takes answers: SECRET_FILE=shop.secret php -S 127.0.0.1:8000 webhook.php, behind TLS where others can reach it.

// signed reports whether a delivery is from the door, and recent.
function signed(string $secretFile, string $id, string $time, string $body, string $signatures): bool
{
    if (abs(time() - (int) $time) > 300) {
        return false;
    }
    $good = false;
    foreach (file($secretFile, FILE_IGNORE_NEW_LINES | FILE_SKIP_EMPTY_LINES) as $secret) {
        $key = base64_decode(substr($secret, strlen('whsec_')));
        $want = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$time.$body", $key, true));
        foreach (explode(' ', $signatures) as $one) {
            $good = hash_equals($want, $one) || $good;
        }
    }
    return $good;
}

$body = file_get_contents('php://input');
$header = fn (string $name): string => $_SERVER['HTTP_WEBHOOK_' . $name] ?? '';
if (!signed(getenv('SECRET_FILE'), $header('ID'), $header('TIMESTAMP'), $body, $header('SIGNATURE'))) {
    http_response_code(401);
    return;
}
$r = json_decode($body, true)['data'];
// Put the effect here, and store $r['id'] and $r['run'] in the same transaction: a delivery may come twice.
file_put_contents('php://stderr', "{$r['id']} {$r['outcome']}\n");
http_response_code(204); // only now: what is not taken comes again
