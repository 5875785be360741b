"""Breaks: the decorator is forgotten."""


def anomalo_models():
    return []
