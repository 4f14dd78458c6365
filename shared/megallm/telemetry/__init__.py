"""What the gateway tells its operator: lines of a log, and metrics inside some of them."""

from megallm.telemetry.lines import LOGGER, JsonLines, configure, fields_of, log

__all__ = ["LOGGER", "JsonLines", "configure", "fields_of", "log"]
