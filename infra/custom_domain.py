"""A domain of the user's own before the API: its name and its certificate, which must both be there already."""

from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_certificatemanager as acm
from constructs import Construct

from infra.options import Options


def custom_domain(scope: Construct, options: Options) -> apigateway.DomainNameOptions | None:
    """None where none was chosen."""
    if not options.domain_name:
        return None
    return apigateway.DomainNameOptions(
        domain_name=options.domain_name,
        certificate=acm.Certificate.from_certificate_arn(scope, "Certificate", options.certificate_arn),
        endpoint_type=apigateway.EndpointType.REGIONAL,
        security_policy=apigateway.SecurityPolicy.TLS_1_2,
    )
