"""Holds JSON against the vendors' own types.

Reads lines {"dialect", "kind": "response" | "event" | "request", "id", "body"} from standard input; writes a line
{"dialect", "kind", "id", "problem"} for each body that the types do not accept, and at the end {"checked": n}.

Strict: no conversion of types, required members are required. Where a vendor's type is open (unknown members are kept), it is
open here; google-genai's and botocore's are closed.
"""

import json
import sys
import typing

# What the vendors declare as Iterable is checked lazily, and in a union taken for anything; a list is what is sent.
typing.Iterable = typing.List

import anthropic.types
import anthropic.types.message_create_params
import botocore.loaders
import botocore.model
import botocore.validate
import cohere.types
import cohere.v2.types
import mistralai.client.models
import openai.types.chat
import openai.types.chat.completion_create_params
import openai.types.responses
import openai.types.responses.response_create_params
from google.genai import types as genai
from pydantic import TypeAdapter, ValidationError


def adapter(kind):
    """A check by a pydantic type."""
    checker = TypeAdapter(kind)

    def check(body):
        checker.validate_json(json.dumps(body), strict=True)

    return check


def both(one, two):
    """A check that is two checks: providers of two vendors with types of their own speak the dialect."""

    def check(body):
        one(body)
        two(body)

    return check


def members(required, **kinds):
    """A check of an object whose members have these types; others are unknown."""
    checks = {name: adapter(kind) if kind is not None else None for name, kind in kinds.items()}

    def check(body):
        for name in required:
            if name not in body:
                raise ValueError(f"{name}: missing")
        for name, value in body.items():
            if name not in checks:
                raise ValueError(f"{name}: unknown")
            if checks[name]:
                try:
                    checks[name](value)
                except ValidationError as error:
                    raise ValueError(f"{name}.{first(error)}") from None

    return check


def converse():
    """A check by Amazon's own description of the service."""
    description = botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2")
    shape = botocore.model.ServiceModel(description).operation_model("Converse").input_shape
    validator = botocore.validate.ParamValidator()

    def check(body):
        report = validator.validate({"modelId": "m", **body}, shape)
        if report.has_errors():
            raise ValueError(report.generate_report().replace("\n", "; "))

    return check


def chat_v2():
    """Cohere's package has types for the parts of a request, and the rest as arguments of a method."""
    number, names = float, list[str]
    return members(
        ["model", "messages"],
        model=str,
        messages=list[cohere.types.ChatMessageV2],
        tools=list[cohere.types.ToolV2],
        response_format=cohere.types.ResponseFormatV2,
        thinking=cohere.types.Thinking,
        stream=bool,
        strict_tools=bool,
        stop_sequences=names,
        max_tokens=int,
        temperature=number,
        seed=int,
        frequency_penalty=number,
        presence_penalty=number,
        k=int,
        p=number,
        logprobs=bool,
        tool_choice=str,
        safety_mode=str,
        documents=None,
        citation_options=None,
        priority=int,
    )


CHECKS = {
    ("chat_completions", "response"): adapter(openai.types.chat.ChatCompletion),
    ("chat_completions", "event"): adapter(openai.types.chat.ChatCompletionChunk),
    ("chat_completions", "request"): both(
        adapter(openai.types.chat.completion_create_params.CompletionCreateParams),
        adapter(mistralai.client.models.ChatCompletionRequest),
    ),
    ("responses", "response"): adapter(openai.types.responses.Response),
    ("responses", "event"): adapter(openai.types.responses.ResponseStreamEvent),
    ("responses", "request"): adapter(openai.types.responses.response_create_params.ResponseCreateParams),
    ("messages", "response"): adapter(anthropic.types.Message),
    ("messages", "event"): adapter(anthropic.types.RawMessageStreamEvent),
    ("messages", "request"): adapter(anthropic.types.message_create_params.MessageCreateParams),
    ("generate_content", "response"): adapter(genai.GenerateContentResponse),
    ("generate_content", "event"): adapter(genai.GenerateContentResponse),
    ("generate_content", "request"): members(
        ["contents"],
        contents=list[genai.Content],
        systemInstruction=genai.Content,
        tools=list[genai.Tool],
        toolConfig=genai.ToolConfig,
        generationConfig=genai.GenerationConfig,
        safetySettings=list[genai.SafetySetting],
    ),
    ("chat_v2", "request"): chat_v2(),
    ("converse", "request"): converse(),
}


def first(error):
    """The first thing that is wrong, without the value."""
    wrong = error.errors(include_url=False, include_input=False)[0]
    return ".".join(str(step) for step in wrong["loc"]) + ": " + wrong["msg"]


def main():
    checked = 0
    for line in sys.stdin:
        told = json.loads(line)
        checked += 1
        try:
            CHECKS[told["dialect"], told["kind"]](told["body"])
        except ValidationError as error:
            problem = first(error)
        except ValueError as error:
            problem = str(error)
        else:
            continue
        print(json.dumps({"dialect": told["dialect"], "kind": told["kind"], "id": told["id"], "problem": problem[:300]}))
    print(json.dumps({"checked": checked}))


if __name__ == "__main__":
    main()
