"""How the requests of a batch are sent: as the request was that made the batch, or as its options say."""

from megallm.batches.model import Job
from megallm.batches.options import SentOptions, job_of, options_of
from megallm.messages.caller_headers import CALLER_HEADERS
from megallm.operations.route_call import Sender


def job_sent_by(sender: Sender) -> Job:
    """The job of a batch that came over HTTPS. Raises InvalidRequest for a header that is too long to be kept."""
    headers = {_option(name): value for name, value in sender.headers}
    return job_of("messages", {"anthropic_version": sender.version, "anthropic_beta": list(sender.betas), **headers})


def sender_of(job: Job) -> Sender:
    """Who sends the job's items, as far as the catalogue and the providers are concerned."""
    options = options_of(job)
    if not isinstance(options, SentOptions):
        return Sender()
    given = options.model_dump(include={_option(name) for name in CALLER_HEADERS})
    headers = tuple((name, given[_option(name)]) for name in CALLER_HEADERS if given[_option(name)])
    return Sender(options.anthropic_version, options.anthropic_beta, headers=headers)


def _option(header: str) -> str:
    return header.replace("-", "_")
