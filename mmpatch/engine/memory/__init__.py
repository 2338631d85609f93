"""Measuring memory, and keeping it below a budget."""
