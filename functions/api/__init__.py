"""The HTTP API: the same FastAPI app under Mangum and under uvicorn."""
