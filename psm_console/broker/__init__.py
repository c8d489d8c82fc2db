"""The broker: proves who the operator is, opens the target, relays, records, obeys.

The only room that speaks SSH. What it decides, `domain/` decides; what it writes down goes to
`recording/` before it is forwarded.
"""

from .service.supervisor import Serving, default_workers, serve

__all__ = ["Serving", "default_workers", "serve"]
