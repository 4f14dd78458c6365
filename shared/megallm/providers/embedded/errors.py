"""The one error of the embedded model that is not a request's: it cannot run on this machine as it is."""


class EmbeddedUnavailable(Exception):
    """The embedded model cannot be started; the message says why and what to do about it."""
