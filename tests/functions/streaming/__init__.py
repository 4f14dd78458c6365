"""The function as it streams: our runtime client against a Runtime API and an API Gateway of the tests' own."""
