"""psm_console: a privileged session manager that lives in the terminal."""

__version__ = "0.1.0"
