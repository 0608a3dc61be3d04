"""What each session cost, in Helicone's endpoints, and one session as the tree of its steps.

Start with `pages.py`.
"""
