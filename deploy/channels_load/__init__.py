"""Load, faults and kills through a channel whose provider is played, judged by the provider's own record."""
