"""The DynamoDB tables: keys and names from the package, durability from the options."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from megallm.stores.resources import TABLES, Table, name_of


class Tables(Construct):
    """All tables by role. They cost nothing while nothing is stored or asked."""

    def __init__(self, scope: Construct, construct_id: str, *, prefix: str, retain: bool) -> None:
        super().__init__(scope, construct_id)
        self.by_role = {table.role: self._table(table, prefix, retain) for table in TABLES}

    def _table(self, table: Table, prefix: str, retain: bool) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            table.role.capitalize(),
            table_name=name_of(table.role, prefix),
            partition_key=_attribute(table.partition_key),
            sort_key=None if table.sort_key is None else _attribute(table.sort_key),
            time_to_live_attribute=table.ttl,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=retain,
            removal_policy=RemovalPolicy.RETAIN if retain else RemovalPolicy.DESTROY,
        )


def _attribute(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
