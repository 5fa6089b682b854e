"""What one connection may take: bytes, fields and seconds. Beyond them it is answered with the reason and closed."""

from dataclasses import dataclass

from contract import HTTP


@dataclass(frozen=True, kw_only=True)
class Limits:
    target_bytes: int = 8190  # 414
    header_bytes: int = 65_536  # 431; all of them together
    header_fields: int = 100  # 431
    body_bytes: int = HTTP.body_bytes  # 413
    client_seconds: float = 20.0  # 408; for the headers, and again for the body: Nginx has them both when it connects
    idle_seconds: float = HTTP.nginx_keepalive_seconds  # longer than Nginx keeps one: Nginx is the one to close it
    linger_seconds: float = 2.0  # how long a draining worker leaves idle connections open, and a refused body is read
