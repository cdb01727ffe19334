"""What was said: inbox, the way of one message, hand-over to people, outbox."""
