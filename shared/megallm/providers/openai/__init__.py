"""Any chat-completions server: OpenAI, vLLM, llama.cpp, Ollama, LiteLLM, Azure and others."""
