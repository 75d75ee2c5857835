"""Where devices sit: which buses there are, which places on them are taken, and where one more device can go.

What a device is belongs in ``elements``; choosing among places, for an operation under way, belongs in operations.
"""
