"""Signatures of thinking that a translated upstream produced (contract C15): who produced it, and that we saw it.

A native upstream signs its own thinking; those signatures are not ours to read and pass untouched.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

_MARK = "megallm1"  # the version of this format: <mark>.<route>.<MAC>


class Signer:
    """Signs with the first secret and accepts all of them, so that a secret can be replaced while its work lives on."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        if not secrets:
            raise ValueError("there is no secret to sign with")
        self._secrets = tuple(secrets)

    def sign(self, route: str, thinking: str) -> str:
        """The signature of this thinking, as text that says which route it came from."""
        return f"{_MARK}.{_encode(route.encode())}.{_encode(_mac(self._secrets[0], route, thinking))}"

    def route_of(self, signature: str, thinking: str) -> str | None:
        """The route that produced this very thinking; None where the signature is not ours, or not of this text."""
        mark, _, rest = signature.partition(".")
        name, _, mac = rest.partition(".")
        if mark != _MARK:
            return None
        try:
            route, given = urlsafe_b64decode(name).decode(), urlsafe_b64decode(mac)
        except ValueError:
            return None
        known = [hmac.compare_digest(_mac(secret, route, thinking), given) for secret in self._secrets]
        return route if any(known) else None


def is_ours(signature: str) -> bool:
    """Whether this gateway made the signature, or someone who copies its format."""
    return signature.startswith(f"{_MARK}.")


def _mac(secret: bytes, route: str, thinking: str) -> bytes:
    # The route's length keeps "a" + "bc" apart from "ab" + "c".
    text = b"%d:%b%b" % (len(route.encode()), route.encode(), thinking.encode())
    return hmac.new(secret, text, sha256).digest()


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode()
