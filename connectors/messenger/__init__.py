"""Facebook Messenger: receiving by webhook, sending by the Graph API."""
