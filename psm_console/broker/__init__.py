"""The broker: proves who the operator is, opens the target, relays, records, obeys.

The only room that speaks SSH. What it decides, `domain/` decides; what it writes down goes to
`recording/` before it is forwarded.
"""

from .serve import serve

__all__ = ["serve"]
