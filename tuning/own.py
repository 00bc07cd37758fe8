"""Learns an artifact from an operator's own outcomes, as `dragoman feedback export` prints them. See README.md.

    python own.py --examples EXAMPLES --features NAMES --out FOLDER [--cheap MODEL ...] [--mid MODEL ...] [--hard MODEL ...]

One line of EXAMPLES is one answer: the numbers of its request, who answered, and the mean of what was said of it. Other than in
train.py there are no words to learn from, and of each request one model's outcome is known: what another one had made of it is not.
So a bucket's head learns the difference between its models and the `hard` ones from who answered by chance what others answered, too
(R-learner: Nie and Wager, arXiv 1712.04912); a bucket is for requests on which little is lost. Each model's own head is a line. The
same input, seed and versions give the same bytes.
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
from data import log2

CLASSES = ("cheap", "mid", "hard")
LEAST = 100             # examples of a class of models: of fewer nothing can be told from chance
GROUP = 120             # answers of two classes whose difference is looked at together, at least
FOLDS = 5


class Examples:
    """Requests with what was said of their answers, in the form in which learn.py has rows."""

    def __init__(self, path, names):
        lines = [json.loads(line) for line in open(path, encoding="utf-8") if line.strip()]
        versions = {line["schema"] for line in lines}
        if len(versions) != 1:
            sys.exit(f"{path}: features of one version are needed, these have {sorted(versions) or 'none'}")
        self.schema, self.names = versions.pop(), names
        if wrong := [line["id"] for line in lines if len(line["dense"]) != len(names)]:
            sys.exit(f"{path}: {wrong[0]} has not the {len(names)} numbers that a request has")
        self.dense = np.array([line["dense"] for line in lines], np.int64)
        self.said = np.array([line["score"] for line in lines], float)
        self.model = np.array([line["target"].split("/", 1)[1] for line in lines])
        self.bucket = [line["bucket"] for line in lines]
        # The same request twice is on one side of a split only.
        self.group = np.unique(self.dense, axis=0, return_inverse=True)[1].ravel()

    def classes(self, told):
        """The class of each model: as told, else the bucket in which it was asked most."""
        votes = collections.defaultdict(collections.Counter)
        for model, bucket in zip(self.model, self.bucket):
            votes[str(model)][bucket] += 1
        if unclear := [model for model, count in votes.items() if model not in told and not any(count[c] for c in CLASSES)]:
            sys.exit(f"{unclear[0]} was never asked for a bucket: say its class (--cheap, --mid or --hard)")
        return {model: told.get(model) or max(CLASSES, key=lambda c: count[c]) for model, count in sorted(votes.items())}


class Answers:
    """Who answered, by model or by class, for learn.qualities."""

    def __init__(self, who, said):
        self.who, self.said = who, said
        self.rows = [{"scores": {name: score}} for name, score in zip(who, said)]

    def score(self, name):
        return np.where(self.who == name, self.said, np.nan)


class Levels:
    """The numbers on one scale, as learn.Stages has them; there are no domains."""

    def __init__(self, dense, rows):
        raw = log2(dense)
        self.mean, spread = raw[rows].mean(0), raw[rows].std(0)
        self.inverse = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0.0)
        self.level = np.clip((raw - self.mean) * self.inverse, -learn.CLAMP, learn.CLAMP)


class Loss:
    """By how much the hard models do better than those of one class.

    An answer is more or less than was to be expected (`m`), and so is that a hard model gave it (`e`): how the two go together is
    the difference. Where only one class ever answers there is nothing to learn, and it weighs nothing."""

    def __init__(self, dense, names, is_hard, said, rows, seed):
        self.levels = Levels(dense, rows)
        level = self.levels.level[rows]
        self.m, self.e = learn.ridge(level, said[rows], 300.0), learn.ridge(level, is_hard[rows].astype(float), 300.0)
        u, v = self.surprises(is_hard, said, rows)
        self.trees = learn.trees(dense[rows].astype(np.float32), u / v, seed, names, count=60, leaves=4, weight=v * v)

    def surprises(self, is_hard, said, rows):
        level = self.levels.level[rows]
        expected, chance = (level @ weights + bias for weights, bias in (self.m, self.e))
        return said[rows] - expected, is_hard[rows] - np.clip(chance, 0.05, 0.95)

    def of(self, dense, rows):
        return learn.mean_of_trees(self.trees, dense[rows].astype(np.float32))


class Tried:
    """The answers of one class and of the hard one with guesses of the loss by what was not learnt from them, the least loss first."""

    def __init__(self, examples, who, name, fold, seed):
        pair = np.flatnonzero((who == name) | (who == "hard"))
        is_hard, dense = who == "hard", examples.dense
        loss, u, v = np.zeros(len(who)), np.zeros(len(who)), np.zeros(len(who))
        for k in range(FOLDS):
            test = pair[fold[pair] == k]
            learnt = Loss(dense, examples.names, is_hard, examples.said, pair[fold[pair] != k], seed)
            loss[test] = learnt.of(dense, test)
            u[test], v[test] = learnt.surprises(is_hard, examples.said, test)
        order = pair[np.argsort(loss[pair], kind="stable")]
        self.loss, self.u, self.v = loss[order], u[order], v[order]
        self.whole = Loss(dense, examples.names, is_hard, examples.said, pair, seed)

    def chances(self):
        """A rising broken line from what is guessed (1 - loss) to what came of it. What one answer lost is not known, only what
        a group of them did."""
        merged = []
        for part in np.array_split(np.arange(len(self.loss)), int(np.clip(len(self.loss) // GROUP, 1, 24)))[::-1]:
            lost = (self.u[part] * self.v[part]).sum() / (self.v[part] ** 2).sum()
            n = len(part)
            merged.append([(1 - self.loss[part].mean()) * n, (1 - lost) * n, n])
            while len(merged) > 1 and merged[-2][1] / merged[-2][2] >= merged[-1][1] / merged[-1][2]:    # pool adjacent violators
                last = merged.pop()
                merged[-1] = [a + b for a, b in zip(merged[-1], last)]
        return knots([(x / n, y / n) for x, y, n in merged], 1 - self.loss.max(), 1 - self.loss.min())

    def enough(self, allowed):
        """The greatest share of the requests that may go to the class so that no more is lost over all of them than is allowed, and
        up to which guess of the loss these are."""
        b = np.cumsum(self.v ** 2)
        lost = np.cumsum(self.u * self.v) / b
        doubt = np.sqrt(np.cumsum((self.u * self.v) ** 2)) / b
        share = np.arange(1, len(b) + 1) / len(b)
        # The best of many accidents looks better than it is: so it must hold though it were one standard error worse.
        good = np.flatnonzero((share * (lost + doubt) <= allowed) & (np.arange(len(b)) >= GROUP))
        return (self.loss[good[-1]], share[good[-1]]) if len(good) else (-np.inf, 0.0)


def knots(line, lowest, highest):
    """The line as the artifact has it: within 0 and 1, rising, from the lowest guess to the highest. Nothing is sure: 1 is never said."""
    sure = lambda y: min(0.999, max(0.0, y))
    points = [(min(lowest, line[0][0]) - 1e-3, line[0][1] - 0.02), *line, (max(highest, line[-1][0]) + 1e-3, line[-1][1] + 0.02)]
    return [[float(np.float32(x)), float(np.float32(sure(y)))] for x, y in points]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--examples", required=True, help="what `dragoman feedback export` printed")
    p.add_argument("--features", required=True, help="what `dragoman tuning features` wrote: its first line names the numbers")
    p.add_argument("--out", required=True)
    for name in CLASSES:
        p.add_argument(f"--{name}", action="append", default=[], metavar="MODEL", help=f"a model of the {name} class; again for more")
    p.add_argument("--keep", type=float, default=0.99, help="the share of the hard models' score that is to be kept")
    p.add_argument("--seed", type=int, default=8)
    p.add_argument("--name", default="own-outcomes")
    a = p.parse_args()
    with open(a.features, encoding="utf-8") as lines:
        names = json.loads(next(lines))["dense"]
    examples = Examples(a.examples, names)
    told = {model: name for name in CLASSES for model in getattr(a, name)}
    if missing := sorted(set(told) - set(examples.model)):
        sys.exit(f"of {', '.join(missing)} nothing was said")
    classes = examples.classes(told)
    who = np.array([classes[model] for model in examples.model])
    known = {name: int((who == name).sum()) for name in CLASSES}
    for name in ("cheap", "hard"):
        if known[name] < LEAST:
            sys.exit(f"of {known[name]} answers of {name} models something was said; it takes {LEAST} to learn which requests need more than a cheap one")
    fold = (np.random.default_rng(a.seed).permutation(examples.group.max() + 1) % FOLDS)[examples.group]
    f = lambda x: float(np.float32(x))
    os.makedirs(a.out, exist_ok=True)
    heads, figures, buckets = [], {}, {}
    hard = examples.said[who == "hard"].mean()
    for name in ("cheap", "mid"):
        if known[name] < LEAST:
            print(f"of {known[name]} answers of {name} models something was said, of fewer than {LEAST}: no request is taken for {name}")
            heads.append({"name": name})
            buckets[name] = 1.0
            continue
        tried = Tried(examples, who, name, fold, a.seed)
        files = []
        for k, booster in enumerate(tried.whole.trees):
            files.append(f"{name}.{k}.txt")
            booster.save_model(os.path.join(a.out, files[-1]))
        line = tried.chances()
        heads.append({"name": name, "base": 1, "models": files, "scale": -1 / len(files), "knots": line})
        most, share = tried.enough((1 - a.keep) * hard)
        buckets[name] = round(float(np.interp(1 - most, *zip(*line))), 3) if share else 1.0
        figures[name] = {"answers": known[name], "score": examples.said[who == name].mean(), "score_of_hard": hard, "share_taken_for_it": share}
    levels, everything = Levels(examples.dense, np.arange(len(who))), np.arange(len(who))
    by_model = learn.qualities(Answers(examples.model, examples.said), levels, everything)
    line = lambda weights: [[n, f(w)] for n, w in zip(names, weights) if w != 0]
    heads += [{"name": str(model), "base": f(bias), "linear": line(weights)} for model, (weights, bias) in by_model.items()]

    described = {
        "name": a.name,
        "schema": examples.schema,
        "metadata": {
            "trained_on": [{"source": "own", "licence": "own", "rows": len(who)}],
            "data_sha256": hashlib.sha256(open(a.examples, "rb").read()).hexdigest(),
            "seed": a.seed,
            "tools": {"lightgbm": lightgbm.__version__, "numpy": np.__version__, "python": sys.version.split()[0]},
            "classes": classes,
            "keep": a.keep,
            "cross_validated": {name: {k: round(float(v), 4) for k, v in one.items()} for name, one in figures.items()},
        },
        "domains": {"name": "domain", "mean": [f(x) for x in levels.mean], "inverse": [f(x) for x in levels.inverse]},
        "heads": heads,
        "buckets": buckets,
        "general": "1-cheap",
    }
    with open(os.path.join(a.out, "model.json"), "w", encoding="utf-8") as out:
        json.dump(described, out, indent=1)
    print("; ".join(f"{name}: {', '.join(m for m in classes if classes[m] == name) or 'none'}" for name in CLASSES))
    for name, one in figures.items():
        print(f"{name}: {one['answers']:.0f} answers, score {one['score']:.3f}, of hard models {hard:.3f}; "
              f"{100 * one['share_taken_for_it']:.0f} % of the requests are taken for it, by what was not learnt from them")


if __name__ == "__main__":
    main()
