"""The `openai` package: vectors, pictures, sound, files, judging, models."""

import base64

import openai

from operations import BASE_URL, KEY, MODELS, TEXTS, tell

client = openai.OpenAI(base_url=BASE_URL + "/v1", api_key=KEY, max_retries=0, timeout=30)


def vectors(model, **more):
    answer = client.embeddings.create(model=model, input=TEXTS, **more)
    return {"vectors": [datum.embedding for datum in answer.data], "input": answer.usage.prompt_tokens}


for model in MODELS:
    # Without a word about it the package asks for base64 and unpacks it.
    tell(f"embed {model}", lambda: vectors(model))
    tell(f"embed floats {model}", lambda: vectors(model, encoding_format="float"))
    tell(f"embed 256 {model}", lambda: vectors(model, dimensions=256))
    tell(f"embed one {model}", lambda: client.embeddings.create(model=model, input=TEXTS[0]).data[0].embedding)
    tell(f"retrieve {model}", lambda: client.models.retrieve(model).id)

first = MODELS[0]

# A file has no model that would say whose it is.
keeper = client.with_options(default_headers={"x-dragoman-provider": "chat"})


def picture():
    answer = client.images.generate(model=first, prompt="a cat", n=2)
    return [base64.b64decode(image.b64_json)[8:].decode() for image in answer.data]


def speech():
    return base64.b64encode(client.audio.speech.create(model=first, voice="alloy", input="say it").content).decode()


def streamed_speech():
    with client.audio.speech.with_streaming_response.create(model=first, voice="alloy", input="say it") as answer:
        return base64.b64encode(b"".join(answer.iter_bytes())).decode()


def transcription():
    sound = bytes(range(256)) * 1000
    return client.audio.transcriptions.create(model=first, file=("a.wav", sound)).text


def completion():
    answer = client.completions.create(model=first, prompt="once upon a time")
    return [answer.choices[0].text, answer.usage.completion_tokens]


def streamed_completion():
    chunks = client.completions.create(model=first, prompt="once upon a time", stream=True)
    return "".join(choice.text for chunk in chunks for choice in chunk.choices)


def files():
    made = keeper.files.create(file=("a.txt", b"seven b"), purpose="user_data")
    return [
        made.id,
        made.filename,
        keeper.files.retrieve(made.id).bytes,
        keeper.files.content(made.id).text,
        [file.id for file in keeper.files.list()],
        keeper.files.delete(made.id).deleted,
    ]


tell("models", lambda: sorted(model.id for model in client.models.list()))
tell("no such model", lambda: client.models.retrieve("no-such-model").id)
tell("picture", picture)
tell("speech", speech)
tell("streamed speech", streamed_speech)
tell("transcription", transcription)
tell("moderation", lambda: client.moderations.create(model=first, input="please refuse").results[0].flagged)
tell("completion", completion)
tell("streamed completion", streamed_completion)
tell("files", files)
