"""What runs in whichever Python a scoring script has: ours, or an interpreter of its own.

Invariants: these modules import nothing but the standard library, and hold nothing that Python 3.8 does not know;
``probe.py`` nothing that Python 2.7 does not know, so that it can say that it is too old.
"""
