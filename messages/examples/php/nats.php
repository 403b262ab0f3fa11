<?php // The part of the NATS protocol that the examples need, over a socket. A client from Packagist has TLS, reconnects and credentials.
class Nats
{
    private $socket;
    private int $sid = 0;

    public function __construct()
    {
        $url = parse_url(getenv('NATS_URL') ?: 'nats://127.0.0.1:4222');
        $this->socket = stream_socket_client("tcp://{$url['host']}:" . ($url['port'] ?? 4222), $no, $why, 5) ?: throw new Exception($why);
        $this->send('CONNECT {"verbose":false,"lang":"php","version":"1","headers":true,"no_responders":true}');
    }
    private function send(string $line): void { fwrite($this->socket, "$line\r\n"); }
    public function subscribe(string $subject): int { $this->send("SUB $subject " . ++$this->sid); return $this->sid; }

    /** The next message of a subscription as [body, reply subject, headers]; null if none comes in time. */
    public function next(int $sid, float $seconds): ?array
    {
        for ($until = microtime(true) + $seconds; ($left = $until - microtime(true)) > 0;) {
            stream_set_timeout($this->socket, (int) $left, (int) (fmod($left, 1) * 1e6));
            $words = explode(' ', trim((string) fgets($this->socket)));
            if ($words[0] === '-ERR' || feof($this->socket)) throw new Exception('NATS: ' . implode(' ', $words));
            if ($words[0] === 'PING') $this->send('PONG');
            if ($words[0] !== 'MSG' && $words[0] !== 'HMSG') continue; // MSG subject sid [reply] bytes, HMSG subject sid [reply] head bytes
            $bytes = stream_get_contents($this->socket, (int) end($words) + 2);
            $head = $words[0] === 'HMSG' ? (int) $words[count($words) - 2] : 0;
            if ((int) $words[2] === $sid) return [substr($bytes, $head, -2), count($words) > ($head ? 5 : 4) ? $words[3] : '', substr($bytes, 0, $head)];
        }
        return null;
    }
    public function request(string $subject, string $body, float $seconds): ?array
    {
        $sid = $this->subscribe($inbox = '_INBOX.' . bin2hex(random_bytes(11)));
        $this->send("PUB $subject $inbox " . strlen($body) . "\r\n$body");
        $reply = $this->next($sid, $seconds);
        $this->send("UNSUB $sid");
        return $reply;
    }
}
