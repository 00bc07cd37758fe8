"""The `openai` package speaking to the gateway by its responses API."""

import json

import openai

from cases import ANSWER, BASE_URL, CASES, KEY, PNG, TOOLS, Case, Said, run

client = openai.OpenAI(base_url=BASE_URL + "/v1", api_key=KEY, max_retries=0, timeout=30)

FINISH = {"max_output_tokens": "length", "content_filter": "refused"}

# The fewest tokens the API lets an answer be limited to.
LEAST_LIMIT = 16

ENDS = ("response.completed", "response.incomplete", "response.failed")


def items(case):
    for user, model in case.before:
        yield {"role": "user", "content": user}
        yield {"role": "assistant", "content": model}
    content = case.text
    if case.image:
        image = {"type": "input_image", "image_url": "data:image/png;base64," + PNG, "detail": "auto"}
        content = [{"type": "input_text", "text": case.text}, image]
    yield {"role": "user", "content": content}


def members(case):
    members = {"model": case.model, "input": list(items(case)), "store": False}
    if case.system:
        members["instructions"] = case.system
    if case.tools:
        members["tools"] = [
            {"type": "function", "name": name, "description": text, "parameters": schema, "strict": True}
            for name, text, schema in TOOLS
        ]
    if case.custom:
        members["tools"] = [{"type": "custom", "name": "shell", "description": "Runs a command."}]
    if case.forced:
        members["tool_choice"] = {"type": "function", "name": case.forced}
    if case.schema:
        format = {"type": "json_schema", "name": "answer", "schema": ANSWER, "strict": True}
        members["text"] = {"format": format}
    if case.thinks:
        members["reasoning"] = {"effort": "low", "summary": "auto"}
        members["include"] = ["reasoning.encrypted_content"]
    if case.limit:
        members["max_output_tokens"] = max(case.limit, LEAST_LIMIT)
    return members


def complete(members, stream):
    if not stream:
        return client.responses.create(**members)
    response, number = None, -1
    # The helper puts the answer together from its pieces, and fails where their grammar is wrong.
    with client.responses.stream(**members) as events:
        for event in events:
            assert event.sequence_number > number, event
            number = event.sequence_number
            if event.type in ENDS:
                response = event.response
    assert response, "the stream has no end"
    return response


def ask(case, stream):
    asked = members(case)
    response = complete(asked, stream)
    if case.results:
        asked["input"] += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]
        for item in response.output:
            if item.type == "function_call":
                output = {"type": "function_call_output", "call_id": item.call_id, "output": case.results[item.name]}
                asked["input"].append(output)
        response = complete(asked, stream)
    assert response.status in ("completed", "incomplete"), response.status
    details = response.incomplete_details
    said = Said(finish=FINISH[details.reason] if details else "end")
    for item in response.output:
        if item.type == "reasoning":
            said.thinking += "".join(part.text for part in item.summary)
        elif item.type == "function_call":
            said.calls.append([item.name, json.loads(item.arguments)])
        elif item.type == "custom_tool_call":
            said.calls.append([item.name, {"input": item.input}])
        elif item.type == "message":
            for part in item.content:
                said.text += part.text if part.type == "output_text" else part.refusal
    if said.calls:
        said.finish = "calls"
    usage = response.usage
    said.usage = usage and {
        "input": usage.input_tokens,
        "cached": usage.input_tokens_details.cached_tokens,
        "output": usage.output_tokens,
        "reasoning": usage.output_tokens_details.reasoning_tokens,
    }
    return said


# The API has no stop sequences, and has tools that take any text.
run(ask, [case for case in CASES if not case.stop] + [Case("custom", "call it", custom=True)])
