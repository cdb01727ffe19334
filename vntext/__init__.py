"""Vietnamese text, pure Python: what the application and the bot both need to read what people type."""
