"""Brings the whole system up on one machine: what `make run` and `make test` stand on."""
