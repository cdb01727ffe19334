"""What the processes tell about themselves: log lines, metrics, traces, joined by one id a message."""
