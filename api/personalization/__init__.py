"""Features and models from purchases that fans agreed to show: facts -> features -> models -> ranks and scores.

Needs the extra `personalization`; nothing of the base install imports it.
"""
