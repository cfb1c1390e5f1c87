"""What firetee claims, measured: `python -m benchmarks` (`make bench`). docs/performance.md explains and shows it.

__main__     the command          goals      the goals, beside what was measured
ground       environments         report     results.json to docs/performance.md
variants     who is measured      plots      results.json to docs/images/
field        the others' packages cold, warm, floor, growth, loss, bill, sustained, journal: one measurement each
sink         a server that takes everything at once
"""
