"""The cost of the client compared with its alternatives. ``python -m benchmarks`` measures all of it.

Only ratios of interleaved runs are reported: a busy machine slows down both sides.
A module that measures in a process of its own is also the program of that process: it prints its results as JSON.
"""
