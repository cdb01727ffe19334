"""Measures the whole running system: times, throughput, processor time and memory."""
