"""The `anthropic` package: counting tokens, models."""

import anthropic

from operations import BASE_URL, KEY, MODELS, tell

client = anthropic.Anthropic(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=30)

[model] = MODELS
asked = [{"role": "user", "content": "one two three"}]
tell("count", lambda: client.messages.count_tokens(model=model, messages=asked, system="be kind").input_tokens)
tell("models", lambda: sorted(model.id for model in client.models.list(limit=1000)))
tell("retrieve", lambda: [client.models.retrieve(model).id, client.models.retrieve(model).type])
tell("no such model", lambda: client.models.retrieve("no-such-model").id)
