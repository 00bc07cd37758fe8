"""Learns Dragoman's model selection from rows of outcomes. Shared by train.py (makes an artifact) and protocol.py (measures).

Everything here has a counterpart in core/src/artifact: what is learnt is sums, products, comparisons and square roots, so that the
same numbers come out natively and in wasm. See README.md.
"""
import lightgbm as lgb
import numpy as np

from data import log2

CLAMP = 4.0
EVALUATE_ONLY = ("routerbench", "alpacaeval")

PAIRS = {
    "mmlu": ("routellm-mmlu", "gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1"),
    "gsm8k": ("routellm-gsm8k", "gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1"),
    "routerbench": ("routerbench", "gpt-4-1106-preview", "mistralai/mixtral-8x7b-chat"),
    "mmlupro": ("mmlupro", "gemini-1.5-pro-002", "gemini-1.5-flash-002"),
    "zeroeval": ("zeroeval", "gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18"),
    "llmrouter": ("llmrouter", "llama-3.1-nemotron-51b-instruct", "llama-3.1-8b-instruct"),
    "alpacaeval": ("alpacaeval", "gpt-4-1106-preview", "claude-instant-1.2"),
}


# Numbers of the conversation: the same on every row of the data (single prompts), so nothing can be learnt of them.
# Scripts are too rare there.
UNLEARNT = (
    "input_tokens system_tokens history_tokens last_tokens tool_tokens turns user_turns answer_turns answers_tool goes_on tools "
    "provider_tools tool_forced tool_calls tool_results tool_errors thoughts images sounds films documents other_parts json_object "
    "schema_tokens max_tokens stops reasoning fences links accented cyrillic semitic indic han"
).split()


def ridge(x, y, strength):
    """Least squares with a penalty, in the spread of the rows themselves; columns that hardly vary there get no weight."""
    m, s = x.mean(0), x.std(0)
    ok = s > 0.03
    s = np.where(ok, s, 1)
    c = ((x - m) / s)[:, ok]
    ym = y.mean(0)
    w = np.linalg.solve(c.T @ c + strength * np.eye(c.shape[1]), c.T @ (y - ym))
    full = np.zeros((x.shape[1],) + y.shape[1:])
    full[ok] = w
    full = (full.T / s).T
    return full, ym - m @ full


def text_ridge(x, y, strength, rounds=60):
    """The same over sparse rows by conjugate gradients, several targets at once; no centring."""
    y = y.astype(np.float32)
    m = y.mean(0)
    xt = x.T.tocsr()
    r = xt @ (y - m)
    v, p, rs = np.zeros_like(r), r.copy(), (r * r).sum(0)
    first = rs.copy()
    for _ in range(rounds):
        ap = xt @ (x @ p) + strength * p
        a = rs / np.maximum((p * ap).sum(0), 1e-20)
        v += a * p
        r -= a * ap
        new = (r * r).sum(0)
        if (new < 1e-5 * first).all():
            break
        p, rs = r + (new / np.maximum(rs, 1e-20)) * p, new
    return v, m


def shares(u, groups):
    out, at = np.maximum(u, 0) ** 2, 0
    for n in groups:
        s = out[:, at:at + n].sum(1, keepdims=True)
        out[:, at:at + n] /= np.where(s > 0, s, 1)
        at += n
    return out


def trees(x, y, seed, names=None, bags=3, count=None, leaves=None, weight=None):
    """Extremely random boosted trees, some of them with different seeds: what comes out is their mean."""
    big = len(y) > 3000
    out = []
    for k in range(bags):
        params = dict(
            objective="l2", num_leaves=leaves or (15 if big else 8), learning_rate=0.06, min_data_in_leaf=20, feature_fraction=0.15,
            extra_trees=True, bagging_fraction=0.7, bagging_freq=1, lambda_l2=5, verbose=-1, num_threads=1, seed=seed * 31 + k,
            deterministic=True, force_col_wise=True, max_bin=63,
        )
        out.append(lgb.train(params, lgb.Dataset(x, y, weight=weight, feature_name=names or "auto"), count or (120 if big else 60)))
    return out


def mean_of_trees(boosters, x):
    return np.mean([b.predict(x) for b in boosters], 0)


def teacher(data, pair, rows, gap, seed):
    """What the other models' outcomes on the same rows say of the gap (only while training): fewer accidents in the labels."""
    source, strong, weak = PAIRS[pair]
    others = [m for m in data.rows[rows[0]]["scores"] if m not in (strong, weak)]
    if len(others) < 3:
        return gap
    o = np.array([[data.rows[i]["scores"][m] for m in others] for i in rows])
    mean = o.mean(1, keepdims=True)
    x = np.hstack([o, mean, mean * mean, mean > 0.5]).astype(float)
    fold = np.random.default_rng(seed).permutation(len(rows)) % 5
    out = np.zeros(len(rows))
    for k in range(5):
        w, b = ridge(x[fold != k], gap[fold != k], 5.0)
        g = trees(x[fold != k], gap[fold != k], seed, bags=1, count=40)
        out[fold == k] = 0.5 * (x[fold == k] @ w + b) + 0.5 * mean_of_trees(g, x[fold == k])
    return out


# How much of the label the teacher gives, and how the members of a head add up.
TAUGHT = {"mmlupro": 0.0, "llmrouter": 0.2, "zeroeval": 0.4, "routerbench": 0.5, "alpacaeval": 0.4, "mmlu": 0.0, "gsm8k": 0.0}
TEXT = 6.0


class Stages:
    """The shared stages: level of the dense numbers and tokens, and the domains (each source's tasks are one group)."""

    def __init__(self, data, tokens, rows, sources):
        raw = np.hstack([log2(data.dense), tokens])
        learnt = np.array([n not in UNLEARNT for n in data.names] + [True] * tokens.shape[1])
        self.learnt = np.flatnonzero(learnt)
        self.mean = raw[rows].mean(0)
        spread = raw[rows].std(0)
        self.inverse = np.where(learnt & (spread > 1e-6), 1 / np.maximum(spread, 1e-6), 0.0)
        self.z = np.clip((raw - self.mean) * self.inverse, -CLAMP, CLAMP)
        self.groups, self.names, weights, biases = [], [], [], []
        for source in sources:
            a = rows[data.source[rows] == source]
            classes = np.unique(data.task[a])
            if len(classes) < 2:
                continue
            w, b = ridge(self.z[a], (data.task[a][:, None] == classes[None]).astype(float), 200.0)
            weights.append(w)
            biases.append(b)
            self.groups.append(len(classes))
            self.names += [f"{source}/{c}" for c in classes]
        self.weights, self.bias = np.hstack(weights), np.concatenate(biases)
        self.posterior = shares(self.z @ self.weights + self.bias, self.groups)
        self.level = np.hstack([self.z, self.posterior])
        raw = np.hstack([data.dense, tokens, self.posterior])
        names = data.names + [f"tokens.{i}" for i in range(tokens.shape[1])] + [f"domain.{i}" for i in range(len(self.names))]
        read = np.concatenate([self.learnt, np.arange(len(data.names) + tokens.shape[1], raw.shape[1])])
        self.raw, self.inputs = raw[:, read].astype(np.float32), [names[i] for i in read]
        self.plain = np.array([i for i, n in enumerate(self.inputs) if "." not in n])     # the dense numbers alone


class Head:
    """A sum of three guesses of one target: lines over levels and domains, words and pairs, trees over everything."""

    def __init__(self, data, stages, rows, target, seed):
        self.linear, self.bias = ridge(stages.level[rows], target, 3000.0)
        self.columns = np.arange(stages.raw.shape[1])
        self.plus, self.minus = trees(stages.raw[rows], target, seed, stages.inputs), []
        self.share = {"linear": 1 / 3, "text": 1 / 3, "trees": 1 / 3}
        self.read(data, rows, target)

    def read(self, data, rows, target):
        v, b = text_ridge(data.grams[rows], target[:, None], TEXT)
        self.text, self.text_bias = v[:, 0], float(b[0])

    def score(self, data, stages, rows):
        x = stages.raw[rows][:, self.columns]
        grown = mean_of_trees(self.plus, x) - (mean_of_trees(self.minus, x) if self.minus else 0)
        text = data.grams[rows] @ self.text + self.text_bias
        line = stages.level[rows] @ self.linear + self.bias
        return self.share["linear"] * line + self.share["text"] * text + self.share["trees"] * grown


class Need(Head):
    """How much better the strong model of a pair is than the weak one.

    With few labels for each task: a table of outcomes per domain, text, and trees over the dense numbers for the strong and the
    weak model apart. With more: a Head."""

    def __init__(self, data, stages, pair, rows, seed):
        source, strong, weak = PAIRS[pair]
        a = rows[data.source[rows] == source]
        good, bad = data.score(strong)[a], data.score(weak)[a]
        gap, share = good - bad, TAUGHT[pair]
        y = gap if share == 0 else (1 - share) * gap + share * teacher(data, pair, a, gap, seed)
        own = np.array([name.startswith(source + "/") for name in stages.names])
        if own.sum() < 10 or len(a) >= 50 * own.sum():
            super().__init__(data, stages, a, y, seed)
            return
        n, width = stages.z.shape[1], stages.level.shape[1]
        tasks = np.array([x.split("/", 1)[1] for x in np.array(stages.names)[own]])
        hit = data.task[a][:, None] == tasks[None]
        self.linear, self.bias = np.zeros(width), 0.0
        self.linear[n:][own] = (hit.T @ y + 10 * y.mean()) / (hit.sum(0) + 10)
        self.columns = stages.plain
        x, names = stages.raw[a][:, self.columns], [stages.inputs[i] for i in self.columns]
        self.plus, self.minus = trees(x, good, seed, names), trees(x, bad, seed, names)
        self.share = {"linear": 0.4, "text": 0.2, "trees": 0.4}
        self.read(data, a, y)


# Classes of models by price, for the heads `cheap` and `mid`: what a class does on a row is the mean of its members there.
CHEAP = (
    "mixtral-8x7b-instruct-v0.1 gemini-1.5-flash-002 gemini-1.5-flash llama-3.1-8b-instruct mistral-7b-instruct-v0.2 mistral-7b-instruct-v0.3 "
    "phi-3-mini-4k-instruct qwen1.5-7b-chat gpt-4o-mini-2024-07-18 claude-3-haiku-20240307 qwen2-7b-instruct gemma-2-9b-it gpt-3.5-turbo-0125 "
    "qwen2.5-7b-instruct"
).split()
MID = (
    "llama-3.1-70b-instruct qwen1.5-72b-chat jamba-1.5-large claude-3-5-haiku-20241022 qwen2-72b-instruct gemma-2-27b-it deepseek-v2.5-0908 "
    "gemini-1.5-pro-002 gemini-1.5-pro llama-3.1-nemotron-51b-instruct llama-3.3-nemotron-super-49b-v1"
).split()


def mean_of(data, models):
    with np.errstate(invalid="ignore"):
        m = np.array([data.score(x) for x in models])
        n = np.isfinite(m).sum(0)
        return np.where(n > 0, np.nansum(m, 0) / np.maximum(n, 1), np.nan)


def cheap(data):
    return mean_of(data, CHEAP)


def mid(data):
    return mean_of(data, MID)


class Quality:
    """What one model, or a class of them, reaches (0..1): lines over levels; every source weighs the same per row."""

    def __init__(self, data, stages, rows, outcome, strength=300.0):
        a = rows[np.isfinite(outcome[rows])]
        self.rows = a
        self.weights, self.bias = ridge(stages.level[a], outcome[a], strength)

    def predict(self, stages, rows):
        return stages.level[rows] @ self.weights + self.bias


def qualities(data, stages, rows):
    """Quality of each model: how hard the request is for all, how able the model is, and what is special to it (held small).

    Models were asked different questions in different ways; the first two parts make them comparable where a model was not tried."""
    models = list(dict.fromkeys(m for i in rows for m in data.rows[i]["scores"]))
    outcomes = np.array([data.score(m)[rows] for m in models]).T
    x, able = stages.level[rows], np.zeros(len(models))
    for _ in range(4):
        weights, bias = ridge(x, np.nanmean(outcomes - able, 1), 300.0)
        easy = x @ weights + bias
        able = np.nanmean(outcomes - easy[:, None], 0)
    out = {}
    for j, model in enumerate(models):
        known = np.isfinite(outcomes[:, j])
        w, b = ridge(x[known], outcomes[known, j] - easy[known] - able[j], 1500.0)
        out[model] = (weights + w, bias + able[j] + b)
    return out


LEAST_COST = 0.2


def extra_cost(data, pair, rows):
    """What the strong model costs more on each row, relative to the mean of the rows: the input and the answer's length are in it."""
    _, strong, weak = PAIRS[pair]
    d = data.cost(strong)[rows] - data.cost(weak)[rows]
    return np.clip(d / d.mean(), 0, 4)


class Cost:
    """Guesses extra_cost from levels and domains."""

    def __init__(self, data, stages, pair, rows):
        a = rows[data.source[rows] == PAIRS[pair][0]]
        self.weights, self.bias = ridge(stages.level[a], extra_cost(data, pair, a), 100.0)

    def score(self, stages, rows):
        return stages.level[rows] @ self.weights + self.bias


def value(gap, cost):
    """Quality gained for the money: what the operating points are set on."""
    return gap / np.maximum(LEAST_COST, cost)
