<?php // Asks over HTTP, without extensions: TOKEN=… php ask.php E-MAIL KEY, the key of your own case, such as refund-R-1001

// call returns the status, the headers in lower case, and the decoded body; status 0 if there was no response.
function call(string $method, string $address, array $headers = [], ?array $body = null): array
{
    $headers = ['Authorization: Bearer ' . getenv('TOKEN'), 'Content-Type: application/json', ...$headers];
    $context = stream_context_create(['http' => ['method' => $method, 'header' => $headers, 'timeout' => 70, 'follow_location' => 0,
        'ignore_errors' => true, 'content' => $body === null ? '' : json_encode($body)]]);
    $text = @file_get_contents((getenv('DOOR') ?: 'http://127.0.0.1:8481') . $address, false, $context);
    $found = [];
    foreach ($http_response_header ?? [] as $line) {
        if (str_contains($line, ': ')) {
            [$name, $value] = explode(': ', $line, 2);
            $found[strtolower($name)] = $value;
        }
    }
    $status = (int) (explode(' ', $http_response_header[0] ?? '', 3)[1] ?? 0);
    return [$status, $found, json_decode((string) $text, true) ?? []];
}

if ($argc !== 3) {
    fwrite(STDERR, "usage: TOKEN=… php ask.php E-MAIL KEY\n");
    exit(2);
}
[, $email, $key] = $argv;
for ($tries = 1; ; $tries++) {
    // The same key is the same request: it is safe to send it again, also if the response was lost.
    [$status, $headers, $r] = call('POST', '/v1/queries', ['Prefer: wait=20', "Idempotency-Key: $key"], ['user_email' => $email]);
    for ($location = $headers['location'] ?? ''; $status === 202; ) { // stored; the answer will be there
        sleep((int) $headers['retry-after']);
        [$status, $headers, $r] = call('GET', $location);
    }
    if (in_array($r['outcome'] ?? '', ['signed', 'not_signed', 'abnormal'], true) || !($r['retryable'] ?? $status === 0) || $tries === 5) {
        break;
    }
    sleep((int) ($headers['retry-after'] ?? $tries)); // unknown is never a no: nothing may follow from it
}
$may = fn (string $flag): string => isset($r[$flag]) ? var_export($r[$flag], true) : 'not said';
echo ($r['outcome'] ?? "no answer, $status"), ' debit: ', $may('charge_agent'), ' refund: ', $may('refund_charge'), "\n";
exit(in_array($r['outcome'] ?? '', ['signed', 'not_signed', 'abnormal'], true) ? 0 : 1);
