"""What runs inside Rasa: components, the gateway channel, training and serving."""
