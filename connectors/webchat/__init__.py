"""The web chat: visitors with signed tokens, limits, and delivery by live events."""
