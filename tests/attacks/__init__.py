"""Attacks on the package, by the hundred thousand: `python -m pytest tests/attacks`.

Each kind of attack has a reference that owes nothing to the code under test: it uses the standard library only.
`campaign.py` says how many cases there are, and how one that fails is repeated.
"""
