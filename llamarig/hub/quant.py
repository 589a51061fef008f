"""Which of a repository's files: by the quantization that is asked for, or by what fits."""

from __future__ import annotations

from collections.abc import Callable

from llamarig.errors import UserError
from llamarig.hub.catalogue import GgufFile, Listing

GIB = 2**30


def named(listing: Listing, quant: str) -> GgufFile:
    """The file with this quantization in its name.

    Raises:
        UserError: none or several, with what there is.
    """
    found = [each for each in listing.files if each.quant == quant]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(each.name for each in found)
        raise UserError(f"model_quant: {quant} names {names}; set model_file to one of them")
    if any(each.quant == quant for each in listing.split):
        raise UserError(
            f"model_quant: {quant} of {listing.repo} is split into several files, which are not "
            "supported; choose another"
        )
    offered = ", ".join(dict.fromkeys(each.quant for each in listing.files if each.quant))
    raise UserError(
        f"model_quant: {listing.repo} has no {quant}; it has {offered or 'no quantization by name'}"
    )


def smallest(listing: Listing) -> GgufFile:
    """The smallest file.

    Raises:
        UserError: there are split ones alone.
    """
    if not listing.files:
        raise UserError(
            f"model_quant: {listing.repo} has no model in one file ({len(listing.split)} split "
            "ones are not supported); name a repository that has"
        )
    return min(listing.files, key=lambda each: each.size)


def choose(listing: Listing, memory: int, need: Callable[[GgufFile], int]) -> GgufFile:
    """The largest file that fits. memory: bytes that the card has; need: bytes that a file takes.

    Raises:
        UserError: none fits; what the smallest needs, and what would help.
    """
    least = smallest(listing)
    fitting = [each for each in listing.files if need(each) <= memory]
    if fitting:
        return max(fitting, key=lambda each: each.size)
    raise UserError(
        f"model_quant: the smallest, {least.name}, needs {need(least) / GIB:.1f} GiB, the "
        f"card has {memory / GIB:.1f} GiB; set a smaller context, a smaller cache_type_k and "
        "cache_type_v, or another model_repo"
    )
