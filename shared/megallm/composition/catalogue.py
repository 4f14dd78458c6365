"""Loads the catalogue as everybody does: held against what the providers can do, and against the secrets there are."""

from collections.abc import Mapping

from megallm.catalog.file_format import Checks, load
from megallm.catalog.models import Catalog
from megallm.catalog.upstreams import Kind
from megallm.composition.features import fault_in
from megallm.messages.compatibility import Feature, Takes
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

    return load(name_or_path, Checks(fault_in, _unkept_rule, fault_in_secret))


def _unkept_rule(kind: Kind, features: Mapping[str, Feature], own: Takes) -> tuple[str, str, str] | None:
    # Most files state no rules of their own, and those who check them cost every start milliseconds.
    from megallm.composition.rules import unkept_rule

    return unkept_rule(kind, features, own)
