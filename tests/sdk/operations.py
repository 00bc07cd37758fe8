"""What the scripts about everything but answers have in common.

Each result becomes one line of JSON on the standard output. What is expected stands in `operations.rs`.

usage: <client>_operations.py BASE_URL KEY MODEL…
"""

import json
import sys
import traceback

BASE_URL, KEY, *MODELS = sys.argv[1:]

TEXTS = ["hello there", "Grüße \U0001F680"]


def tell(name, ask):
    """Calls `ask` and prints what it gives, or what went wrong."""
    line = {"case": name}
    try:
        line["got"] = ask()
    except Exception as exception:  # the test judges what it is
        status = getattr(exception, "status_code", None) or getattr(exception, "code", None)
        line["error"] = {"status": status, "message": str(exception), "trace": traceback.format_exc()}
    print(json.dumps(line), flush=True)
