"""Why a whole input cannot be worked on."""

from megallm.errors import InvalidRequest


class Refused(InvalidRequest):
    """The input as a whole: it becomes a batch that ends at once, with ``problem`` in its record and its manifest."""

    @property
    def problem(self) -> str:
        """The reason, for the owner of the batch."""
        return self.message
