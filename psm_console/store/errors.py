"""What can go wrong with the home and the store, each as a sentence for the person who reads it."""

from __future__ import annotations


class StoreError(Exception):
    """The store can not be used as asked; the text says what to do next."""


class HomeError(StoreError):
    """The home directory is missing, foreign, too open or unsuitable."""


class StoreBusy(StoreError):
    """Another program held the store for longer than we wait."""


class NotFound(StoreError):
    """Nothing has this id or name."""


class Ambiguous(StoreError):
    """Several ids start with these characters."""


class DocumentError(StoreError):
    """A TOML file (configuration, inventory) can not be read or does not say what it must."""
