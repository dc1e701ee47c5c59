"""Faults and load against real services and real databases, and whether all that was acknowledged is there afterwards.

    .venv/bin/python -m benchmarks.reliability kills --rounds 200 --database postgresql

The figures of docs/reliability.md come from here; tests/test_reliability.py runs the same with few rounds.
"""
