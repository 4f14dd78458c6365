"""Loads the catalogue as everybody does: held against what the providers can do, and against the secrets there are."""

from megallm.catalog.file_format import Checks, load
from megallm.catalog.models import Catalog
from megallm.composition.features import fault_in
from megallm.composition.rules import unkept_rule
from megallm.stores.secrets import MissingSecret, Secrets


def load_catalog(name_or_path: str, secrets: Secrets | None = None) -> Catalog:
    """A shipped catalogue by name, or a TOML file. Raises BrokenCatalog.

    Without *secrets* nobody is asked for them: a catalogue can be looked at where its keys are not.
    """

    def fault_in_secret(reference: str) -> str | None:
        if secrets is None:
            return None
        try:
            secrets.secret(reference)
        except MissingSecret as error:
            return str(error)
        return None

    return load(name_or_path, Checks(fault_in, unkept_rule, fault_in_secret))
