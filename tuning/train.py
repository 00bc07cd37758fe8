"""Learns the artifact's parts from rows of outcomes and writes what `dragoman tuning import` reads. See README.md.

    python train.py --data ROWS --features FEATURES --out FOLDER [--seed 8]

Rows of evaluate-only sources are left out. The same input, seed and pinned versions give the same bytes.
"""
import argparse
import collections
import hashlib
import json
import os
import sys

import lightgbm
import numpy as np

import learn
from data import BITS, Data, Vocabulary
from learn import EVALUATE_ONLY, PAIRS
from protocol import RESERVE, RESERVE_TOGETHER, SHIPPED, Table, common, deal

ALSO = {
    "gpt-4-1106-preview": ["gpt-4-1106"],
    "gpt-4o-2024-08-06": ["gpt-4o"],
    "gpt-4o-mini-2024-07-18": ["gpt-4o-mini"],
    "claude-3-5-sonnet-20241022": ["claude-3-5-sonnet", "claude-3.5-sonnet", "claude-3-5-sonnet-latest"],
    "claude-3-5-haiku-20241022": ["claude-3-5-haiku", "claude-3.5-haiku", "claude-3-5-haiku-latest"],
    "claude-3-haiku-20240307": ["claude-3-haiku"],
    "mixtral-8x7b-instruct-v0.1": ["mixtral-8x7b-instruct", "mixtral-8x7b", "open-mixtral-8x7b"],
    "gpt-3.5-turbo-0125": ["gpt-3.5-turbo"],
}


def knots(score, outcome, count=24):
    """A rising broken line from scores to outcomes: means of equal shares of the rows, made rising."""
    order = np.argsort(score, kind="stable")
    points = [(float(score[part].mean()), float(outcome[part].mean())) for part in np.array_split(order, count)]
    weight = [len(part) for part in np.array_split(order, count)]
    blocks = []                                     # pool adjacent violators
    for (x, y), n in zip(points, weight):
        blocks.append([x * n, y * n, n])
        while len(blocks) > 1 and blocks[-2][1] / blocks[-2][2] >= blocks[-1][1] / blocks[-1][2]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last)]
    out = [[x / n, y / n] for x, y, n in blocks]
    low, high = float(score.min()), float(score.max())
    if low < out[0][0] - 1e-6:
        out.insert(0, [low, max(0.0, out[0][1] - 0.02)])
    if high > out[-1][0] + 1e-6:
        out.append([high, min(1.0, out[-1][1] + 0.02)])
    for i in range(1, len(out)):                    # strictly, so that no two scores tie
        out[i][1] = max(out[i][1], out[i - 1][1] + 1e-4)
    return [[float(np.float32(x)), float(np.float32(min(1.0, y)))] for x, y in out]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", default="../../shared/routing/open.jsonl")
    p.add_argument("--features", required=True)
    p.add_argument("--scorer", default="../../shared/routing")
    p.add_argument("--out", required=True)
    p.add_argument("--seed", type=int, default=8)
    p.add_argument("--name", default="public-outcomes-2026-11")
    a = p.parse_args()
    sys.path.insert(0, a.scorer)
    import eval as scorer
    os.makedirs(a.out, exist_ok=True)
    data = Data(a.data, a.features)
    vocabulary = Vocabulary()
    tokens = data.tokens(vocabulary)
    rows = np.flatnonzero(~np.isin(data.source, EVALUATE_ONLY))
    pairs = [p for p in PAIRS if PAIRS[p][0] not in EVALUATE_ONLY and (data.source == PAIRS[p][0]).any()]
    classes = {"cheap": learn.cheap(data), "mid": learn.mid(data)}

    def heads(stages, train):
        out = {f"need_{p}": learn.Need(data, stages, p, train, a.seed) for p in pairs}
        for name, outcome in classes.items():
            known = train[np.isfinite(outcome[train])]
            out[name] = learn.Head(data, stages, known, outcome[known], a.seed)
        return out

    # Scores of rows by models that have not seen them: for calibration, thresholds and the figures in the metadata.
    fold = deal(data.group, a.seed)
    unseen = {}
    for k in range(5):
        train = rows[fold[rows] != k]
        stages = learn.Stages(data, tokens, train, SHIPPED)
        test = np.flatnonzero(fold == k)
        for p in pairs:
            unseen.setdefault(f"cost_{p}", np.zeros(len(fold)))[test] = learn.Cost(data, stages, p, train).score(stages, test)
        for name, head in heads(stages, train).items():
            unseen.setdefault(name, np.zeros(len(fold)))[test] = head.score(data, stages, test)
        print("fold", k, flush=True)

    stages = learn.Stages(data, tokens, rows, SHIPPED)
    learnt = heads(stages, rows)
    print("learnt", flush=True)

    path = lambda name: os.path.join(a.out, name)
    names = list(learnt)
    weights = np.stack([learnt[n].text for n in names], 1)
    scale = np.float32(np.abs(weights).max(0) / 127)
    table = np.clip(np.round(weights / scale), -127, 127).astype(np.int8)
    table.tofile(path("margins.i8"))
    margin_bias = np.float32([learnt[n].text_bias for n in names])
    margins = data.grams @ (table * scale.astype(float)) + margin_bias
    vocabulary.words.astype("<u4").tofile(path("tokens.u32"))
    vocabulary.weights.tofile(path("tokens.u8"))
    vocabulary.vectors.tofile(path("tokens.i8"))
    dense, wide = len(data.names), len(names)
    spread = 2 * margins[rows].std(0)               # clamps at eight times the usual spread
    mean = np.concatenate([stages.mean[:dense], margins[rows].mean(0), stages.mean[dense:]])
    inverse = np.concatenate([stages.inverse[:dense], 1 / spread, stages.inverse[dense:]])
    w = np.vstack([stages.weights[:dense], np.zeros((wide, stages.weights.shape[1])), stages.weights[dense:]])
    w.astype("<f4").tofile(path("domains.f32"))
    members = data.names + [f"margins.{i}" for i in range(wide)] + [f"tokens.{i}" for i in range(tokens.shape[1])]
    members += [f"domain.{i}" for i in range(len(stages.names))]
    level = data.names + [f"tokens.{i}" for i in range(tokens.shape[1])] + [f"domain.{i}" for i in range(len(stages.names))]
    f = lambda x: float(np.float32(x))
    line = lambda coefficients, times=1.0: [[n, f(c * times)] for n, c in zip(level, coefficients) if c != 0]

    described = []
    for i, (name, head) in enumerate(learnt.items()):
        linear = line(head.linear, head.share["linear"])
        linear.append([f"margins.{i}", f(head.share["text"] * spread[i])])
        base = head.share["linear"] * head.bias + head.share["text"] * mean[dense + i]
        assert not head.minus, "few labels: train.py writes heads of many only"
        files = []
        for k, booster in enumerate(head.plus):
            files.append(f"{name}.{k}.txt")
            booster.save_model(path(files[-1]))
        one = {"name": name, "base": f(base), "linear": linear, "models": files, "scale": head.share["trees"] / len(files)}
        if name in classes:
            known = rows[np.isfinite(classes[name][rows])]
            one["knots"] = knots(unseen[name][known], classes[name][known])
        else:
            one["knots"] = [[-1, 0], [1, 1]]
        described.append(one)
    for model, (weights, bias) in learn.qualities(data, stages, rows).items():
        described.append({"name": model, "also": ALSO.get(model, []), "base": f(bias), "linear": line(weights), "knots": [[0, 0], [1, 1]]})

    for p in pairs:
        cost = learn.Cost(data, stages, p, rows)
        described.append({"name": f"cost_{p}", "base": f(cost.bias), "linear": line(cost.weights)})

    # Buckets: cheap where a cheap model does the job in 4 of 5 cases, mid where a mid one does in 7 of 10.
    buckets = {"cheap": 0.8, "mid": 0.7}
    table_of = Table(data, scorer)
    metrics, described_pairs, in_common = {}, [], {}
    for pair, (source, strong, weak) in PAIRS.items():
        one = {"name": pair, "source": [source], "strong": strong, "weak": weak}
        if pair in pairs:
            test = np.flatnonzero(data.source == source)
            s, wk, cs, cw, ids = table_of.outcomes(pair, test)
            score = unseen[f"need_{pair}"][test]
            value = learn.value(score, unseen[f"cost_{pair}"][test])
            limit = {}
            for name, keep in (("99", 0.99), ("100", 1.0)):
                limit[name] = f(min(1e9, table_of.threshold(value, s, wk, cs, cw, keep + RESERVE)))
            one |= {"score": f"need_{pair}", "cost": f"cost_{pair}", "thresholds": limit, "together": {}}
            in_common[pair] = common(value, s, wk, cs, cw)
            _, cpt = scorer.routellm(score, s, wk, ids)
            frozen = [table_of.frozen(value, s, wk, cs, cw, fold[test], x) for x in (0.99, 1.0)]
            metrics[pair] = {"apgr": scorer.apgr(score, s, wk, ids), "cpt50": cpt[0.5], "cpt80": cpt[0.8],
                             "saved_at_99": frozen[0][0], "kept_at_99": frozen[0][1], "saved_at_100": frozen[1][0], "kept_at_100": frozen[1][1]}
        described_pairs.append(one)
    columns = [np.concatenate(column) for column in zip(*(columns for columns, _ in in_common.values()))]
    for name, keep in (("99", 0.99), ("100", 1.0)):
        limit = table_of.threshold(*columns, keep + RESERVE_TOGETHER)
        for one in described_pairs:
            if one["name"] in in_common:
                one["together"][name] = f(min(1e9, limit * in_common[one["name"]][1]))
    metrics = {p: {k: round(float(v), 4) for k, v in m.items()} for p, m in metrics.items()}
    licences = collections.Counter((data.rows[i]["source"], data.rows[i]["license"]) for i in rows)
    digest = lambda name: hashlib.sha256(open(name, "rb").read()).hexdigest()
    model = {
        "name": a.name,
        "schema": data.schema,
        "metadata": {
            "trained_on": [{"source": s, "licence": l, "rows": n} for (s, l), n in sorted(licences.items())],
            "left_out": [f"{s}: evaluate only" for s in EVALUATE_ONLY],
            "data_sha256": digest(a.data),
            "also_holds": "GloVe 6B 50d word vectors (Pennington, Socher, Manning; PDDL 1.0), the most frequent words, in 8 bits",
            "seed": a.seed,
            "tools": {"lightgbm": lightgbm.__version__, "numpy": np.__version__, "python": sys.version.split()[0]},
            "cross_validated": metrics,
            "domains": stages.names,
            "does_not_transfer": "What is learnt holds for requests like these benchmarks'. On unrelated tasks expect little more than length gives; learn from your own records.",
        },
        "tables": [{"name": "margins", "grams": ["words", "pairs"], "bits": BITS, "most": 1, "norm": "length",
                    "scale": scale.tolist(), "bias": margin_bias.tolist(), "weights": "margins.i8"}],
        "vocabularies": [{"name": "tokens", "words": "tokens.u32", "weights": "tokens.u8", "vectors": "tokens.i8", "scale": vocabulary.scale.tolist()}],
        "domains": {"name": "domain", "mean": [f(x) for x in mean], "inverse": [f(x) for x in inverse],
                    "bias": [f(x) for x in stages.bias], "weights": "domains.f32", "groups": stages.groups},
        "heads": described,
        "buckets": buckets,
        "pairs": described_pairs,
        "general": "1-cheap",
    }
    with open(path("model.json"), "w", encoding="utf-8") as out:
        json.dump(model, out, indent=1)
    # What the artifact should say of the rows, to compare with `dragoman tuning predict`.
    with open(path("expected.jsonl"), "w", encoding="utf-8") as out:
        some = np.arange(0, len(data.rows), 97)
        said = {n: h.score(data, stages, some) for n, h in learnt.items()}
        for j, i in enumerate(some):
            print(json.dumps({"id": data.ids[i], "raw": {n: float(v[j]) for n, v in said.items()}}), file=out)
    for name in ("cheap", "mid"):
        known = rows[np.isfinite(classes[name][rows])]
        x = np.array([k[0] for k in next(h for h in described if h["name"] == name)["knots"]])
        y = np.array([k[1] for k in next(h for h in described if h["name"] == name)["knots"]])
        classes[name + " chance"] = np.interp(unseen[name], x, y)
    c, m = classes["cheap chance"][rows], classes["mid chance"][rows]
    for name, chosen in (("cheap", c >= buckets["cheap"]), ("mid", (c < buckets["cheap"]) & (m >= buckets["mid"])), ("hard", (c < buckets["cheap"]) & (m < buckets["mid"]))):
        print(f"bucket {name}: {chosen.mean():.3f} of the rows; a cheap model does {np.nanmean(classes['cheap'][rows][chosen]):.3f}, a mid one {np.nanmean(classes['mid'][rows][chosen]):.3f}")
    print(json.dumps(metrics, indent=1))
    print(f"written to {a.out}: {sum(os.path.getsize(path(n)) for n in os.listdir(a.out) if n[-3:] in ('.i8', 'u32', '.u8', 'f32')):,} bytes of tables")


if __name__ == "__main__":
    main()
