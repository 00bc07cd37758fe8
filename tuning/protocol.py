"""The measuring protocol: prints how well models learnt by learn.py choose, on questions they have not seen.

Definition (frozen):
- Rows: open.jsonl. Groups of rows are the data's own `group`, joined where the text of the question is nearly the same (data.Data).
  A group is on one side of a split only, over ALL sources: if a question is tested in one source, its row in no source is trained on.
- mmlu1500: for each of SEEDS seeds, groups of routellm-mmlu are drawn at random until they hold 1,500 rows; these are the MMLU labels.
  Trained on: them, and the rows of the other shippable sources whose groups are not tested. Tested on: all other rows of routellm-mmlu.
- pairs: for each of SEEDS seeds, all groups are dealt to 5 folds at random; each fold is tested by a model learnt on the other four.
  routerbench and alpacaeval in two ways: (a) their own training folds are used too, for measuring only; (b) they are not trained
  on at all, and the score is the shipped `general` one. What is shipped is (b).
- Scaling, domains, tables, trees and thresholds come from training rows alone. The score of a tested row depends on its prompt alone.
- Operating points: thresholds on `value` = guessed gap / guessed extra cost of the strong model (both from the prompt alone). The
  lowest-cost one at which the training rows (each scored by a model that had not seen it) keep 99 % / 100 % of the strong model's
  quality and RESERVE more, since what looks best on the training rows is a little worse elsewhere. It is set for each seed and fold
  from the other folds' out-of-fold scores, and then used on the tested fold. (Those scores come from models that saw the tested
  fold's labels, not its scores; a threshold is one number of thousands of rows, so this is of no weight, but it is said.)
- One point for all pairs: the same with one threshold on value in common units (quality relative to the strong model's, money relative
  to what it costs), every pair weighing the same: that is what an operator of several routes wants, who keeps the quality of all of
  them and not of each. What one pair wins pays for what another one saves.
- own: what an operator gets from `dragoman feedback export`, which knows one answer of each request. So many rows are drawn, groups
  whole; of each, chance shows the outcome of the strong model or that of the weak one, and own.py learns from that. Tested on all other
  groups of the source.
- known: the same gap by the outcomes of the other models on the same row (out of fold over rows), which no router has.
- Figures: mean of seeds of eval.py's apgr, cpt50, cpt80 on the gap; saving and kept quality of the frozen points; eval.py's saving
  on the test curve, as published tables have it, by gap and by value. Beside them: chance, length alone (with the same guessed
  cost), and that cost alone, since part of what is saved comes of sending dear prompts to the weak model, whatever they ask.
"""
import argparse
import sys
import time
import types

import numpy as np

import learn
import own
from data import Data, Vocabulary
from learn import EVALUATE_ONLY, PAIRS

RESERVE = 0.003
RESERVE_TOGETHER = 0.0005       # the mean of all pairs has less chance in it
SHIPPED = ["routellm-mmlu", "mmlupro", "llmrouter", "zeroeval"]


def deal(groups, seed, folds=5):
    names = np.unique(groups)
    fold = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % folds))
    return np.array([fold[g] for g in groups])


def common(value, s, w, cs, cw):
    """One pair in common units (each row's share of the pair's quality and money), and what a threshold is multiplied with to be one
    on the pair's own values."""
    unit = s.mean() * (cs.mean() - cw.mean()) / cs.mean()
    return (value / unit, s / s.sum(), w / s.sum(), cs / cs.sum(), cw / cs.sum()), unit


class Table:
    def __init__(self, data, scorer):
        self.data, self.ev, self.lines, self.joint = data, scorer, {}, {}

    def outcomes(self, pair, rows):
        _, strong, weak = PAIRS[pair]
        d = self.data
        return d.score(strong)[rows], d.score(weak)[rows], d.cost(strong)[rows], d.cost(weak)[rows], [d.ids[i] for i in rows]

    def add(self, name, pair, rows, score, fold=None, value=None):
        value = score if value is None else value
        s, w, cs, cw, ids = self.outcomes(pair, rows)
        ev = self.ev
        _, cpt = ev.routellm(score, s, w, ids)
        line = [s.mean(), w.mean(), ev.apgr(score, s, w, ids), cpt[0.5], cpt[0.8]]
        line += self.saving(score, s, w, cs, cw, ids) + self.saving(value, s, w, cs, cw, ids)
        for level in (0.99, 1.0):
            line += self.frozen(value, s, w, cs, cw, fold, level) if fold is not None else [np.nan, np.nan]
        self.lines.setdefault((name, pair), []).append(line)

    def saving(self, score, s, w, cs, cw, ids):
        _, q, c = self.ev.curve(score, s, w, cs, cw, ids)
        out = []
        for level in (0.99, 1.0):
            out.append(1 - c[q >= level * s.mean() - 1e-12].min() / cs.mean())
        return out

    @staticmethod
    def threshold(score, s, w, cs, cw, level):
        """Lowest-cost threshold (ask the strong one at or above it) that keeps the level on these rows."""
        o = np.argsort(-score, kind="stable")
        q = np.concatenate([[0], np.cumsum((s - w)[o])]) / len(o) + w.mean()
        c = np.concatenate([[0], np.cumsum((cs - cw)[o])]) / len(o) + cw.mean()
        ok = np.flatnonzero(q >= level * s.mean() - 1e-12)
        k = ok[np.argmin(c[ok])] if len(ok) else len(o)
        return np.inf if k == 0 else score[o[k - 1]]

    def frozen(self, score, s, w, cs, cw, fold, level, reserve=RESERVE):
        """Thresholds from the other folds, used on each fold; costs and qualities of all folds together."""
        cost, quality = np.zeros(len(s)), np.zeros(len(s))
        for k in np.unique(fold):
            a, b = fold != k, fold == k
            ask = score[b] >= self.threshold(score[a], s[a], w[a], cs[a], cw[a], level + reserve)
            cost[b], quality[b] = np.where(ask, cs[b], cw[b]), np.where(ask, s[b], w[b])
        return [1 - cost.mean() / cs.mean(), quality.mean() / s.mean()]

    def together(self, name, values, fold):
        """One operating point for all pairs; `values` has the value of all rows, by pair."""
        pairs = [(rows, values[pair][rows]) + self.outcomes(pair, rows) for pair in values
                 for rows in [np.flatnonzero(self.data.source == PAIRS[pair][0])]]
        done = np.zeros((2, 2))
        for k in np.unique(fold):
            seen = [fold[rows] != k for rows, *_ in pairs]
            known = [common(value[m], s[m], w[m], cs[m], cw[m]) for m, (_, value, s, w, cs, cw, _) in zip(seen, pairs)]
            columns = [np.concatenate(column) for column in zip(*(c for c, _ in known))]
            for j, level in enumerate((0.99, 1.0)):
                limit = self.threshold(*columns, level + RESERVE_TOGETHER)
                for m, (_, unit), (_, value, s, w, cs, cw, _) in zip(seen, known, pairs):
                    ask = value[~m] >= limit * unit
                    cost, quality = np.where(ask, cs[~m], cw[~m]).sum(), np.where(ask, s[~m], w[~m]).sum()
                    done[j] += np.array([cost / cs.sum(), quality / s.sum()]) / len(pairs)
        line = [x for cost, quality in done for x in (1 - cost, quality)]
        columns = zip(*(common(value, s, w, cs, cw)[0] for _, value, s, w, cs, cw, _ in pairs))
        line += self.saving(*map(np.concatenate, columns), [i for *_, ids in pairs for i in ids])
        self.joint.setdefault(name, []).append(line)

    def show_together(self, out=sys.stdout):
        print("one point for all pairs | frozen: save@99% (kept)  save@100% (kept)  | test curve: save@99%  @100%", file=out)
        for name, lines in self.joint.items():
            m = np.mean(lines, 0)
            print(f"{name:23} | {m[0]:16.3f} ({m[1]:.4f}) {m[2]:8.3f} ({m[3]:.4f})   | {m[4]:20.3f} {m[5]:6.3f}", file=out)
        print(flush=True, file=out)

    def show(self, out=sys.stdout):
        print("                                                               | test curve, by gap | test curve, by value | frozen, by value", file=out)
        print("method            pair        strong  weak   apgr   cpt50  cpt80  | save@99%    @100%  | save@99%     @100%   | save@99% (kept)  save@100% (kept)", file=out)
        show = lambda m: (f"{m[2]:6.3f} {m[3]:6.1f} {m[4]:6.1f}  | {m[5]:8.3f} {m[6]:8.3f}  | {m[7]:8.3f} {m[8]:9.3f}   | "
                          f"{m[9]:8.3f} ({m[10]:.4f}) {m[11]:8.3f} ({m[12]:.4f})")
        macro = {}
        for (name, pair), lines in self.lines.items():
            m = np.mean(lines, 0)
            print(f"{name:17} {pair:11} {m[0]:6.3f} {m[1]:6.3f} {show(m)}  sd {np.std([x[2] for x in lines]):.3f}", file=out)
            macro.setdefault(name, []).append(m)
        for name, m in macro.items():
            if len(m) > 1:
                print(f"{name:17} {'MACRO':11} {'':13} {show(np.mean(m, 0))}", file=out)
        print(flush=True, file=out)


def length_only(data, pair, a, b):
    """The gap by length alone: learnt as the mean gap of 10 classes of length on the training rows."""
    _, strong, weak = PAIRS[pair]
    size = data.dense[:, data.names.index("text_bytes")]
    y = (data.score(strong) - data.score(weak))[a]
    edges = np.quantile(size[a], np.linspace(0, 1, 11)[1:-1])
    k = np.searchsorted(edges, size[a])
    means = np.array([(y[k == i].sum() + 10 * y.mean()) / ((k == i).sum() + 10) for i in range(10)])
    return means[np.searchsorted(edges, size[b])] + 1e-9 * size[b]


def mmlu1500(data, tokens, table, seeds):
    mmlu = np.flatnonzero(data.source == "routellm-mmlu")
    for seed in range(seeds):
        groups = np.unique(data.group[mmlu])
        np.random.default_rng(seed).shuffle(groups)
        held, count, chosen = {}, 0, set()
        for i in mmlu:
            held.setdefault(data.group[i], []).append(i)
        for g in groups:
            if count >= 1500:
                break
            chosen.add(g)
            count += len(held[g])
        train = np.array([i for i in mmlu if data.group[i] in chosen])
        test = np.array([i for i in mmlu if data.group[i] not in chosen])
        tested = set(data.group[test])
        rest = np.array([i for i in range(len(data.rows)) if data.source[i] not in EVALUATE_ONLY + ("routellm-mmlu",) and data.group[i] not in tested])
        rows = np.concatenate([train, rest])
        stages = learn.Stages(data, tokens, rows, SHIPPED)
        need = learn.Need(data, stages, "mmlu", rows, seed)
        table.add("mmlu1500", "mmlu", test, need.score(data, stages, test))
        table.add("mmlu1500 length", "mmlu", test, length_only(data, "mmlu", train, test))
        table.add("mmlu1500 random", "mmlu", test, np.random.default_rng(seed).random(len(test)))
        print("seed", seed, len(train), len(test), len(rest), flush=True)


def pairs(data, tokens, table, seeds, first=0):
    for seed in range(first, first + seeds):
        fold = deal(data.group, seed)
        scores = {(m, p): np.full(len(fold), np.nan) for p in PAIRS for m in ("learnt", "length", "general", "cost")}
        for k in range(5):
            began = time.time()
            ship = np.flatnonzero((fold != k) & ~np.isin(data.source, EVALUATE_ONLY))
            every = np.flatnonzero(fold != k)
            both = [(ship, learn.Stages(data, tokens, ship, SHIPPED)), (every, learn.Stages(data, tokens, every, SHIPPED + list(EVALUATE_ONLY)))]
            general = learn.Quality(data, both[0][1], ship, learn.cheap(data))
            for pair, (source, _, _) in PAIRS.items():
                rows, stages = both[source in EVALUATE_ONLY]
                test = np.flatnonzero((fold == k) & (data.source == source))
                need = learn.Need(data, stages, pair, rows, seed)
                scores["learnt", pair][test] = need.score(data, stages, test)
                scores["cost", pair][test] = learn.Cost(data, stages, pair, rows).score(stages, test)
                scores["length", pair][test] = length_only(data, pair, rows[data.source[rows] == source], test)
                scores["general", pair][test] = -general.predict(both[0][1], test)
            print("seed", seed, "fold", k, round(time.time() - began, 1), flush=True)
        values = {}
        for (method, pair), score in scores.items():
            if method == "cost":
                continue
            rows = np.flatnonzero(data.source == PAIRS[pair][0])
            value = score if method == "general" else learn.value(score, scores["cost", pair])
            values.setdefault(method, {})[pair] = value
            table.add(method, pair, rows, score[rows], fold[rows], value[rows])
        for pair in PAIRS:
            rows = np.flatnonzero(data.source == PAIRS[pair][0])
            chance = np.random.default_rng(seed).random(len(fold))
            values.setdefault("random", {})[pair] = chance
            table.add("random", pair, rows, chance[:len(rows)], fold[rows])
            values.setdefault("cost alone", {})[pair] = -scores["cost", pair]
            gap = data.score(PAIRS[pair][1]) - data.score(PAIRS[pair][2])
            values.setdefault("pair alone", {})[pair] = np.array([gap[rows[fold[rows] != k]].mean() for k in fold]) + 1e-9 * chance
            table.add("cost alone", pair, rows, -scores["cost", pair][rows], fold[rows])
        for method in values:
            table.together(method, values[method], fold)
        table.show()
        table.show_together()


def opinions(data, scorer, seeds):
    """What own.py reaches where of each request one answer is judged, of a model that chance chose: definition at the head."""
    print("pair        answers   apgr  length  taken for cheap  kept (meant: 0.99)")
    for pair in ("mmlu", "mmlupro", "llmrouter"):
        source, strong, weak = PAIRS[pair]
        rows = np.flatnonzero(data.source == source)
        for count in (500, 1000, 2000, 4000):
            lines = []
            for seed in range(seeds):
                chance = np.random.default_rng(seed)
                names, group = np.unique(data.group[rows], return_inverse=True)
                mixed = rows[np.argsort(chance.permutation(len(names))[group], kind="stable")]
                train, test = mixed[:count], mixed[count:]
                test = test[~np.isin(data.group[test], data.group[train])]
                is_hard = chance.random(count) < 0.5
                said = np.where(is_hard, data.score(strong)[train], data.score(weak)[train])
                examples = types.SimpleNamespace(dense=data.dense[train], names=data.names, said=said)
                fold = deal(data.group[train], seed)
                tried = own.Tried(examples, np.where(is_hard, "hard", "cheap"), "cheap", fold, seed)
                most, _ = tried.enough(0.01 * said[is_hard].mean())
                loss = tried.whole.of(data.dense, test)
                s, w, ids = data.score(strong)[test], data.score(weak)[test], [data.ids[i] for i in test]
                size = data.dense[test, data.names.index("text_bytes")]
                lines.append([scorer.apgr(loss, s, w, ids), scorer.apgr(size, s, w, ids), (loss <= most).mean(), np.where(loss <= most, w, s).mean() / s.mean()])
            m = np.mean(lines, 0)
            print(f"{pair:11} {count:7} {m[0]:6.3f} {m[1]:7.3f} {100 * m[2]:14.1f} % {m[3]:9.4f}", flush=True)


def known(data, scorer, seeds):
    """What the outcomes of the other models on the very same questions tell: what no prompt can be asked to tell."""
    print("pair         rows  models   apgr")
    for pair, (source, strong, weak) in PAIRS.items():
        rows = np.flatnonzero(data.source == source)
        models = len(data.rows[rows[0]]["scores"])
        if models < 5:
            continue
        s, w, ids = data.score(strong)[rows], data.score(weak)[rows], [data.ids[i] for i in rows]
        found = [scorer.apgr(learn.teacher(data, pair, rows, s - w, seed), s, w, ids) for seed in range(seeds)]
        print(f"{pair:11} {len(rows):5} {models - 2:7} {np.mean(found):6.3f}", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", default="../../shared/routing/open.jsonl")
    p.add_argument("--features", required=True, help="what `dragoman tuning features` wrote of the same rows")
    p.add_argument("--scorer", default="../../shared/routing", help="folder of eval.py")
    p.add_argument("--part", choices=["mmlu1500", "pairs", "own", "known", "all"], default="all")
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--first", type=int, default=0)
    a = p.parse_args()
    sys.path.insert(0, a.scorer)
    import eval as scorer
    data = Data(a.data, a.features)
    tokens = data.tokens(Vocabulary())
    table = Table(data, scorer)
    print(f"{len(data.rows)} rows, {len(set(r['group'] for r in data.rows))} groups as given, {len(set(data.group))} after joining near-identical prompts")
    if a.part in ("mmlu1500", "all"):
        mmlu1500(data, tokens, table, a.seeds)
        table.show()
    if a.part in ("pairs", "all"):
        pairs(data, tokens, table, a.seeds, a.first)
    if a.part in ("own", "all"):
        opinions(data, scorer, a.seeds)
    if a.part in ("known", "all"):
        known(data, scorer, a.seeds)


if __name__ == "__main__":
    main()
