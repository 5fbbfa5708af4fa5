"""Timings of the generated modules against what a user would otherwise pick: see __main__.py. catalogue.py times the derivation."""
