"""Zalo Official Account: receives signed webhooks, sends by the Open API, keeps its own tokens alive."""
