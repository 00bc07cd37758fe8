"""The `google-genai` package speaking to the gateway."""

import base64

from google import genai
from google.genai import types

from cases import ANSWER, BASE_URL, KEY, PNG, TOOLS, Said, run

client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=BASE_URL, timeout=30_000))

FINISH = {"STOP": "end", "MAX_TOKENS": "length", "SAFETY": "refused", "PROHIBITED_CONTENT": "refused"}


def contents(case):
    for user, model in case.before:
        yield types.Content(role="user", parts=[types.Part(text=user)])
        yield types.Content(role="model", parts=[types.Part(text=model)])
    parts = [types.Part(text=case.text)]
    if case.image:
        parts.append(types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png"))
    yield types.Content(role="user", parts=parts)


def own_schema(schema):
    """The same in Gemini's own spelling, as programs written for it have it."""
    return types.Schema(
        type=schema["type"].upper(),
        properties={name: own_schema(property) for name, property in schema.get("properties", {}).items()} or None,
        required=schema.get("required"),
        description=schema.get("description"),
    )


def config(case, stream):
    config = types.GenerateContentConfig(system_instruction=case.system, max_output_tokens=case.limit)
    if case.tools:
        # Both spellings of a schema, one whole and one streamed.
        spelling = {"parameters_json_schema": lambda schema: schema} if stream else {"parameters": own_schema}
        declarations = [
            types.FunctionDeclaration(name=name, description=text, **{key: spell(schema) for key, spell in spelling.items()})
            for name, text, schema in TOOLS
        ]
        config.tools = [types.Tool(function_declarations=declarations)]
    if case.forced:
        calling = types.FunctionCallingConfig(mode="ANY", allowed_function_names=[case.forced])
        config.tool_config = types.ToolConfig(function_calling_config=calling)
    if case.schema:
        config.response_mime_type = "application/json"
        if stream:
            config.response_json_schema = ANSWER
        else:
            config.response_schema = own_schema(ANSWER)
    if case.thinks:
        config.thinking_config = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    if case.stop:
        config.stop_sequences = [case.stop]
    return config


def complete(case, contents, stream):
    """The parts, the finish reason and the last usage of an answer."""
    asked = {"model": case.model, "contents": contents, "config": config(case, stream)}
    answers = client.models.generate_content_stream(**asked) if stream else [client.models.generate_content(**asked)]
    parts, finish, usage = [], None, None
    for answer in answers:
        usage = answer.usage_metadata or usage
        for candidate in answer.candidates or []:
            parts.extend((candidate.content and candidate.content.parts) or [])
            finish = candidate.finish_reason or finish
    return parts, finish, usage


def ask(case, stream):
    asked = list(contents(case))
    parts, finish, usage = complete(case, asked, stream)
    if case.results:
        asked.append(types.Content(role="model", parts=parts))
        results = []
        for part in parts:
            if part.function_call:
                call = part.function_call
                response = {"result": case.results[call.name]}
                results.append(
                    types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response=response))
                )
        asked.append(types.Content(role="user", parts=results))
        parts, finish, usage = complete(case, asked, stream)
    said = Said(finish=finish and FINISH[finish.value])
    for part in parts:
        if part.function_call:
            said.calls.append([part.function_call.name, part.function_call.args])
            said.finish = "calls"
        elif part.thought:
            said.thinking += part.text or ""
        else:
            said.text += part.text or ""
    if usage:
        reasoning = usage.thoughts_token_count
        said.usage = {
            "input": usage.prompt_token_count,
            "cached": usage.cached_content_token_count,
            "output": (usage.candidates_token_count or 0) + (reasoning or 0),
            "reasoning": reasoning,
        }
    return said


run(ask)
