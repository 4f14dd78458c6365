"""The bundle as CDK has it: assets, named by what they were made from."""

from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_

from infra.bundle.files import Bundle


def code(bundle: Bundle) -> lambda_.Code:
    """The functions' code."""
    return _asset(bundle.function, f"function-{bundle.digest}")


def layer(bundle: Bundle) -> lambda_.Code:
    """The layer's."""
    return _asset(bundle.schemas, f"schemas-{bundle.digest}")


def _asset(path: Path, asset_hash: str) -> lambda_.Code:
    return lambda_.Code.from_asset(str(path), asset_hash=asset_hash, asset_hash_type=AssetHashType.CUSTOM)
