"""pyinfra's command line as our child runs it: paramiko's log stays out of the terminal.

paramiko logs a traceback for every connection that fails; nobody set up a handler for it, so
Python prints it. pyinfra's own line says the same.
"""

from __future__ import annotations

import logging

from pyinfra_cli.main import main

logging.getLogger("paramiko").addHandler(logging.NullHandler())
main()
