"""What a user can get wrong, as opposed to what we did."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend; the command line prints it as one line and exits 1."""
