"""One module a surface: web chat, health, the bot's actions, pages, console."""
