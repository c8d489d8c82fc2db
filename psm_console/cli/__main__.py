"""`python -m psm_console.cli` is `psm`."""

from .main import main

main()
