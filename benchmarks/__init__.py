"""What the client costs, against what a user would pick instead. ``python -m benchmarks`` measures all of it.

Only ratios of runs that took turns within one process or one minute are reported: a busy machine slows both sides.
"""
