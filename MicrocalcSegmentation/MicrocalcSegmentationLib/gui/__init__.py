"""Slicer's window, and the process that works behind it.

`blocks`, `messages`, `worker` and `client` are plain Python: they know neither Slicer nor Qt.
"""
