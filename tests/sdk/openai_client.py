"""The `openai` package speaking to the gateway."""

import json

import openai

from cases import ANSWER, BASE_URL, KEY, PNG, TOOLS, Said, run

client = openai.OpenAI(base_url=BASE_URL + "/v1", api_key=KEY, max_retries=0, timeout=30)

FINISH = {"stop": "end", "length": "length", "tool_calls": "calls", "content_filter": "refused"}


def messages(case):
    if case.system:
        yield {"role": "system", "content": case.system}
    for user, model in case.before:
        yield {"role": "user", "content": user}
        yield {"role": "assistant", "content": model}
    content = case.text
    if case.image:
        url = {"url": "data:image/png;base64," + PNG}
        content = [{"type": "text", "text": case.text}, {"type": "image_url", "image_url": url}]
    yield {"role": "user", "content": content}


def members(case):
    members = {"model": case.model, "messages": list(messages(case))}
    if case.tools:
        members["tools"] = [
            {"type": "function", "function": {"name": name, "description": text, "parameters": schema}}
            for name, text, schema in TOOLS
        ]
    if case.forced:
        members["tool_choice"] = {"type": "function", "function": {"name": case.forced}}
    if case.schema:
        named = {"name": "answer", "schema": ANSWER, "strict": True}
        members["response_format"] = {"type": "json_schema", "json_schema": named}
    if case.thinks:
        members["reasoning_effort"] = "low"
    if case.limit:
        members["max_completion_tokens"] = case.limit
    if case.stop:
        members["stop"] = [case.stop]
    return members


def complete(members, stream):
    if not stream:
        return client.chat.completions.create(**members)
    with client.chat.completions.stream(**members, stream_options={"include_usage": True}) as events:
        try:
            for _ in events:
                pass
        except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError):
            # The helper raises for these endings; what it has read until then is what we are after.
            for _ in events._raw_stream:
                pass
        return events.current_completion_snapshot


def ask(case, stream):
    asked = members(case)
    completion = complete(asked, stream)
    if case.results:
        message = completion.choices[0].message
        asked["messages"].append(message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}))
        for call in message.tool_calls:
            result = case.results[call.function.name]
            asked["messages"].append({"role": "tool", "tool_call_id": call.id, "content": result})
        completion = complete(asked, stream)
    [choice] = completion.choices
    usage = completion.usage
    return Said(
        text=choice.message.content or choice.message.refusal or "",
        thinking=getattr(choice.message, "reasoning_content", None) or "",
        calls=[[call.function.name, json.loads(call.function.arguments)] for call in choice.message.tool_calls or []],
        finish=FINISH[choice.finish_reason],
        usage=usage
        and {
            "input": usage.prompt_tokens,
            "cached": usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens,
            "output": usage.completion_tokens,
            "reasoning": usage.completion_tokens_details and usage.completion_tokens_details.reasoning_tokens,
        },
    )


run(ask)
