"""The `anthropic` package speaking to the gateway."""

import anthropic

from cases import ANSWER, BASE_URL, KEY, PNG, TOOLS, Said, run

client = anthropic.Anthropic(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=30)

FINISH = {"end_turn": "end", "stop_sequence": "end", "max_tokens": "length", "tool_use": "calls", "refusal": "refused"}


def messages(case):
    for user, model in case.before:
        yield {"role": "user", "content": user}
        yield {"role": "assistant", "content": model}
    content = case.text
    if case.image:
        source = {"type": "base64", "media_type": "image/png", "data": PNG}
        content = [{"type": "image", "source": source}, {"type": "text", "text": case.text}]
    yield {"role": "user", "content": content}


def members(case):
    members = {"model": case.model, "max_tokens": case.limit or 4000, "messages": list(messages(case))}
    if case.system:
        members["system"] = case.system
    if case.tools:
        members["tools"] = [
            {"name": name, "description": text, "input_schema": schema} for name, text, schema in TOOLS
        ]
    if case.forced:
        members["tool_choice"] = {"type": "tool", "name": case.forced}
    if case.schema:
        members["output_config"] = {"format": {"type": "json_schema", "schema": ANSWER}}
    if case.thinks:
        members["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    if case.stop:
        members["stop_sequences"] = [case.stop]
    return members


def complete(members, stream):
    if not stream:
        return client.messages.create(**members)
    with client.messages.stream(**members) as events:
        for _ in events:
            pass
        return events.get_final_message()


def ask(case, stream):
    asked = members(case)
    message = complete(asked, stream)
    if case.results:
        asked["messages"].append({"role": "assistant", "content": message.content})
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": case.results[block.name]}
            for block in message.content
            if block.type == "tool_use"
        ]
        asked["messages"].append({"role": "user", "content": results})
        message = complete(asked, stream)
    said = Said(finish=FINISH[message.stop_reason])
    for block in message.content:
        if block.type == "text":
            said.text += block.text
        elif block.type == "thinking":
            said.thinking += block.thinking
        elif block.type == "tool_use":
            said.calls.append([block.name, block.input])
    usage = message.usage
    cached = usage.cache_read_input_tokens or 0
    details = usage.output_tokens_details
    said.usage = {
        "input": usage.input_tokens + cached + (usage.cache_creation_input_tokens or 0),
        "cached": cached,
        "output": usage.output_tokens,
        "reasoning": details and details.thinking_tokens,
    }
    return said


run(ask)
