"""Broadsheet: every article of your sources, once, as clean JSON."""
