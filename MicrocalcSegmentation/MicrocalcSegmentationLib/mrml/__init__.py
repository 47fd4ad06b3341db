"""Findings as nodes of a 3D Slicer scene, with or without the application."""
