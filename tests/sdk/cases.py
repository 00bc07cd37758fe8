"""What every vendor's client is made to ask, and in what form its answers are handed to the test.

A client script calls `run(ask)` with a function `ask(case, stream)` that returns a `Said`, and with its own list of cases
where its API has other words. Every case is asked whole and streamed; each answer becomes one line of JSON on the standard output. What is expected stands in `clients.rs`.

usage: <client>.py BASE_URL KEY MODEL
"""

import dataclasses
import json
import sys
import traceback

BASE_URL, KEY, MODEL = sys.argv[1:4]

# One transparent pixel.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "where"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [("weather", "Tells the weather.", CITY), ("time", "Tells the time.", CITY)]
ANSWER = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}


@dataclasses.dataclass
class Case:
    """One question. Only the members that matter for it are set."""

    name: str
    text: str
    system: str | None = None
    before: list = dataclasses.field(default_factory=list)  # (user text, model text) pairs
    image: bool = False
    tools: bool = False
    custom: bool = False  # a tool that takes any text instead
    forced: str | None = None  # the one tool it must call
    results: dict | None = None  # tool name -> result; asked again with these
    schema: bool = False
    thinks: bool = False
    limit: int | None = None
    stop: str | None = None
    model: str = MODEL


CASES = [
    Case("hello", "hello, Grüße \U0001F680 \"quoted\""),
    Case("system", "what is the system prompt?", system="be kind"),
    Case("turns", "and now?", before=[("first", "one"), ("second", "two")]),
    Case("image", "look", image=True),
    Case("call", "call it", tools=True),
    Case("forced", "hello", tools=True, forced="time"),
    Case("twice", "call it twice", tools=True),
    Case("results", "call it twice", tools=True, results={"weather": "sun", "time": "noon"}),
    Case("schema", "hello", schema=True),
    Case("thinking", "hello", thinks=True),
    Case("thinking and results", "call it", tools=True, thinks=True, results={"weather": "sun"}),
    Case("length", "tell me a long story", limit=5),
    Case("stop", "hello", stop="said"),
    Case("refused", "please refuse"),
    Case("missing", "hello", model=MODEL + "-no-such"),
    Case("throttled", "be throttled"),
    Case("broken", "be broken"),
]


@dataclasses.dataclass
class Said:
    """An answer in nobody's dialect. `finish` is one of end, length, calls, refused."""

    text: str = ""
    thinking: str = ""
    calls: list = dataclasses.field(default_factory=list)  # [name, arguments]
    finish: str | None = None
    usage: dict | None = None


def error(exception):
    """What a client tells its program of a failure; any other exception is a fault of the gateway or of the test."""
    status = getattr(exception, "status_code", None) or getattr(exception, "code", None)
    told = {"class": type(exception).__name__, "status": status, "message": str(exception)}
    if not isinstance(status, int):
        told["trace"] = traceback.format_exc()
    return told


def run(ask, cases=CASES):
    for case in cases:
        for stream in (False, True):
            line = {"case": case.name, "stream": stream}
            try:
                line["said"] = dataclasses.asdict(ask(case, stream))
            except Exception as exception:  # the test judges what it is
                line["error"] = error(exception)
            print(json.dumps(line), flush=True)
