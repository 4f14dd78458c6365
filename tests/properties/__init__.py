"""Laws over all requests that the official SDK's types allow."""
