"""The composition root: settings in, gateway out. The one place that knows every implementation."""

from megallm.composition.root import LazyProviders, assemble, compose, embedded_provider

__all__ = ["LazyProviders", "assemble", "compose", "embedded_provider"]
