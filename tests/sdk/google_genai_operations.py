"""The `google-genai` package: vectors, counting tokens, models."""

from google import genai
from google.genai import types

from operations import BASE_URL, KEY, MODELS, TEXTS, tell

client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=BASE_URL, timeout=30_000))


def vectors(model, **config):
    answer = client.models.embed_content(model=model, contents=TEXTS, config=types.EmbedContentConfig(**config))
    return [embedding.values for embedding in answer.embeddings]


for model in MODELS:
    tell(f"embed {model}", lambda: vectors(model))
    tell(f"embed 256 {model}", lambda: vectors(model, output_dimensionality=256, task_type="RETRIEVAL_QUERY"))

tell("count", lambda: client.models.count_tokens(model="only-gemini", contents="one two three").total_tokens)
tell("models", lambda: sorted(model.name for model in client.models.list()))
tell("retrieve", lambda: client.models.get(model="only-gemini").name)
tell("no such model", lambda: client.models.get(model="no-such-model").name)
