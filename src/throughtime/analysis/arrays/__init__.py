"""Analyses of plain NumPy arrays: no names, no files, no plots.

Each module holds one analysis and is imported by name, as in
``from throughtime.analysis.arrays.timing import timing``.
"""
