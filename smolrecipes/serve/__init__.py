"""A model behind OpenAI's HTTP API: transformers' and llama.cpp's servers, with what they lack mended at the edge."""
