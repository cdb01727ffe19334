"""Learning from use: what was misunderstood is kept without personal data, and labelled by a person."""
