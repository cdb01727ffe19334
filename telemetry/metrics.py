"""The metrics of a process, by the Prometheus text format; docs/OPERATIONS.md says what each means.

Counters and histograms are counted where things happen. Gauges about the instance as a whole are set when
somebody asks (`api.figures`).
"""

from __future__ import annotations

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from telemetry import labels

disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""Media type of what `exposition` returns."""

PREFIX = "hotline_"

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 120, 600)

received = Counter("hotline_messages_received_total", "Messages stored", ["channel", "kind"])
repeated = Counter("hotline_messages_repeated_total", "Deliveries of a message that was here", ["channel"])
not_stored = Counter("hotline_messages_not_stored_total", "Messages refused: the database was away")
answers = Counter("hotline_answers_total", "Messages handled, by what became of them", ["channel", "route"])
emergencies = Counter("hotline_emergencies_total", "Messages referred to an emergency number", ["kind"])
bot_failures = Counter("hotline_bot_failures_total", "Messages the bot gave no answer to", ["reason"])
sends = Counter("hotline_sends_total", "Tries to send, by what the channel said", ["channel", "result"])
send_failures = Counter(
    "hotline_send_failures_total", "Tries to send that failed, by reason", ["channel", "result", "reason"]
)
deliveries = Counter(
    "hotline_deliveries_total", "Deliveries of the channels' providers", ["channel", "result"]
)
dead_letters = Counter("hotline_dead_letters_total", "Messages that were given up", ["direction"])
channel_events = Counter(
    "hotline_channel_events_total",
    "What providers delivered, messages included, by kind",
    ["channel", "kind"],
)
erased_records = Counter(
    "hotline_erased_records_total", "Conversations and tickets whose personal data was erased", ["why"]
)
retention_failures = Counter("hotline_retention_failures_total", "Runs of the retention rules that failed")
responses = Counter("hotline_http_responses_total", "HTTP responses", ["surface", "status"])

receive_seconds = Histogram(
    "hotline_receive_seconds", "From a message's arrival until it is on disk", ["channel"], buckets=_QUICK
)
queue_wait_seconds = Histogram(
    "hotline_queue_wait_seconds", "From stored until a worker begins", buckets=_SLOW
)
bot_seconds = Histogram("hotline_bot_seconds", "One call of the bot, its actions included", buckets=_SLOW)
turn_seconds = Histogram("hotline_turn_seconds", "From stored until the answer is written", buckets=_SLOW)
send_seconds = Histogram("hotline_send_seconds", "One try to send", ["channel"], buckets=_SLOW)
action_seconds = Histogram("hotline_action_seconds", "One action of the bot", buckets=_QUICK)
search_seconds = Histogram("hotline_search_seconds", "One search of the knowledge base", buckets=_QUICK)

channel_up = Gauge(
    "hotline_channel_up", "1: the channel sends, 0: its provider is down or refuses us", ["channel"]
)
channel_quiet = Gauge("hotline_channel_quiet", "1: nothing has come for longer than usual", ["channel"])
channel_last_event = Gauge(
    "hotline_channel_last_event_seconds", "Since the provider last delivered something", ["channel"]
)
channel_last_success = Gauge(
    "hotline_channel_last_success_seconds", "Since the provider last took a message", ["channel"]
)
channel_queue = Gauge("hotline_channel_unsent_messages", "Messages that wait to be sent", ["channel"])
channel_token = Gauge(
    "hotline_channel_token_seconds", "Until the channel's credentials expire; NaN: never", ["channel"]
)
channel_login = Gauge("hotline_channel_needs_login", "1: the account has to be connected again", ["channel"])

open_connections = Gauge("hotline_open_connections", "Open chats and pages that listen", ["kind"])

backlog = Gauge("hotline_backlog_messages", "Unfinished messages of the instance", ["state"])
oldest_waiting = Gauge("hotline_oldest_waiting_seconds", "Age of the oldest message without an answer")
oldest_unsent = Gauge("hotline_oldest_unsent_seconds", "Age of the oldest answer that is not sent")
queue_oldest = Gauge("hotline_queue_oldest_wait_seconds", "Longest wait for an operator")
sessions = Gauge(
    "hotline_sessions", "Conversations of the last 24 hours, and all that people hold", ["owner"]
)
part_up = Gauge("hotline_part_up", "1: the part works, 0: it does not", ["part"])
bots = Gauge("hotline_bots", "Bots this process may ask")
bots_resting = Gauge("hotline_bots_resting", "Bots left alone for a moment: their circuit is open")
knowledge_version = Gauge("hotline_knowledge_version", "Number of the search index that answers")
knowledge_entries = Gauge("hotline_knowledge_entries", "Entries of the knowledge base")
pool_connections = Gauge("hotline_database_pool_connections", "Database connections", ["state"])
pool_limit = Gauge("hotline_database_pool_limit", "Most database connections of this process")
build = Gauge("hotline_build_info", "Always 1; the labels say what runs", ["version", "service"])


def _begin_at_zero() -> None:
    """Show what an alert counts from the start: a series that is born with its first event never grew."""
    for why in ("request", "conversation_rule", "ticket_rule"):
        erased_records.labels(why)
    for direction in ("in", "out"):
        dead_letters.labels(direction)
    for kind in ("113", "114", "115"):
        emergencies.labels(kind)
    for reason in (*labels.BOT_REASONS, labels.OTHER):
        bot_failures.labels(reason)
    for channel in labels.CHANNELS:
        for result in ("accepted", "transient", "auth", "permanent"):
            sends.labels(channel, result)


_begin_at_zero()


def exposition() -> bytes:
    """Return all metrics of this process as Prometheus reads them."""
    return generate_latest(REGISTRY)


def names() -> set[str]:
    """Return the names of all series of ours, as queries use them."""
    found = set()
    for family in REGISTRY.collect():
        if not family.name.startswith(PREFIX):
            continue
        if family.type == "histogram":
            found |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
        else:
            found.add(f"{family.name}_total" if family.type == "counter" else family.name)
    return found
