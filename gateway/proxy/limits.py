"""How much and how long: every bound of the data plane, with its unit and its reason.

Owns numbers only. A deployment changes them through its settings; each default is SECURITY.md's.
"""

from dataclasses import dataclass, field

from gateway.http.parsing import HeadLimits

KIB = 1024
MIB = 1024 * KIB

LOGIN_BODY_BYTES = 64 * KIB  # a login is two fields; more is somebody else's upload or an attack
JUDGED_BYTES = 1 * MIB  # a login's answer is a page; a verdict reads no further than this
HELD_BYTES = 8 * MIB  # an intercepted answer is kept in memory until it was judged
HEAD_SECONDS = 20.0  # a browser sends its head in one go; a slow-head attack does not
BODY_SECONDS = 20.0  # the same for a body that the gateway must read whole
KEEP_ALIVE_SECONDS = 75.0  # longer than the 60 s of common load balancers, so that they close first
LINGER_SECONDS = 2.0  # time to read the answer before a reset may destroy it (RFC 9112 9.6)
SEND_STALL_SECONDS = 60.0  # a client that takes nothing for so long is gone, or holds memory on purpose
BODY_GRACE_SECONDS = 10.0  # how long a body may pause before its rate counts: a change of cells on a train
BODY_RATE_BYTES = 1024  # per second; slower than any modem, and an attack that only holds connections
CONNECT_SECONDS = 5.0  # the app is near; beyond this its machine is down
ANSWER_HEAD_SECONDS = 60.0  # slower than any page that somebody waits for
ANSWER_STALL_SECONDS = 300.0  # a pause within an answer: event streams send a comment every 15 to 60 s
TUNNEL_IDLE_SECONDS = 300.0  # WebSocket libraries ping every 20 to 60 s; a tunnel without any is forgotten
ANSWER_WHOLE_SECONDS = 90.0  # a whole intercepted answer; a login that drips must not hold its task for ever
POOL_SECONDS = 60.0  # idle app connections; most apps close after 2 to 75 s, so a late one is retried
POOL_SIZE = 64  # idle connections per address and worker: file descriptors of the app
UPSTREAM_CONNECTIONS = 1024  # per app and worker; beyond what threaded apps serve, below what their systems allow
FRESH_SECONDS = 1.0  # below gunicorn's keep-alive of 2 s, the shortest in common use; see pool.Reuse
WRITE_BUFFER_BYTES = 256 * KIB  # per direction; above it the other side is not read any more
PIPELINE_BYTES = 64 * KIB  # what a client may send ahead of its answers before it is not read any more
SWEEP_SECONDS = 1.0  # one timer for all connections; times are kept to this precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Holds every bound of the data plane; bytes and seconds."""

    head: HeadLimits = field(default_factory=HeadLimits)
    login_body: int = LOGIN_BODY_BYTES
    answer_held: int = HELD_BYTES
    head_seconds: float = HEAD_SECONDS
    body_seconds: float = BODY_SECONDS
    body_grace_seconds: float = BODY_GRACE_SECONDS
    body_rate: int = BODY_RATE_BYTES
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS
    linger_seconds: float = LINGER_SECONDS
    send_stall_seconds: float = SEND_STALL_SECONDS
    connect_seconds: float = CONNECT_SECONDS
    answer_head_seconds: float = ANSWER_HEAD_SECONDS
    answer_stall_seconds: float = ANSWER_STALL_SECONDS
    tunnel_idle_seconds: float = TUNNEL_IDLE_SECONDS
    answer_whole_seconds: float = ANSWER_WHOLE_SECONDS
    pool_seconds: float = POOL_SECONDS
    pool_size: int = POOL_SIZE
    upstream_connections: int = UPSTREAM_CONNECTIONS
    fresh_seconds: float = FRESH_SECONDS
    write_buffer: int = WRITE_BUFFER_BYTES
    pipeline: int = PIPELINE_BYTES
