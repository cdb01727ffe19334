"""What the assistant can do: the custom actions that Rasa calls, served by the app."""
