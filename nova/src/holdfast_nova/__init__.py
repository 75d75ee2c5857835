"""The OpenStack Nova compute driver of Holdfast.

What a document becomes is decided in ``holdfast.operations``.
"""
