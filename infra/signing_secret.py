"""The secret that signs thinking, made with the stack: nobody chooses it, and nobody has to know it."""

import string

from aws_cdk import RemovalPolicy
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

_LETTERS = 64


class SigningSecret(Construct):
    """It goes with the stack: what it signed is then dropped from conversations, and nothing else is lost."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description="Signs the thinking of translated models, so that replayed thinking is known to be ours.",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                # The gateway reads what commas part as several secrets.
                password_length=_LETTERS,
                exclude_characters=string.punctuation,
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
