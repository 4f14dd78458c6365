"""One JSON line a request from API Gateway itself: numbers and names, never a path as it was written, nor an address.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
"""

import json

_FIELDS = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "method": "$context.httpMethod",
    "resource": "$context.resourcePath",
    "status": "$context.status",
    "responseBytes": "$context.responseLength",
    "responseMs": "$context.responseLatency",
    "integrationMs": "$context.integration.latency",
    "integrationStatus": "$context.integration.status",
    "functionRequestId": "$context.integration.requestId",
    "refusedAs": "$context.error.responseType",
}

FORMAT = json.dumps(_FIELDS, separators=(",", ":"))
