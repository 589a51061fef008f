"""The made hosts of this checkout's lab: `llamarig lab up` makes them.

LLAMARIG_OPERATOR=opspw logs in as the operator whose sudo asks for a password.
"""

from llamarig.rehearsal.inventory import hosts as _hosts

hosts = _hosts()
