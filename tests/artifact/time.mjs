// How long features and judgement take in V8: `cargo xtask wasm`, then `node tests/artifact/time.mjs`.
//
// Prompts of a length are cut from the public rows where they lie beside the repository, each another; the bars are 100 µs for 2 kB
// and 300 µs for 32 kB in 99 of 100 prompts. Two heads are the buckets, six more the candidates. Every prompt is judged a few times
// and its best time counts: what others take of a shared machine is not ours.

import { existsSync, readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const code = new WebAssembly.Module(readFileSync(new URL("target/wasm/selection.wasm", root)));
const { exports } = new WebAssembly.Instance(code);

const give = (bytes) => {
  const room = exports.room(bytes.length);
  new Uint8Array(exports.memory.buffer, room, bytes.length).set(bytes);
};

give(readFileSync(new URL("control-plane/catalog/tuning.artifact", root)));
if (exports.learn() !== 1) throw new Error("the artifact is refused");

const rows = new URL("../shared/routing/open.jsonl", root);
const text = existsSync(rows)
  ? readFileSync(rows, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line).prompt).join("\n\n")
  : "Which of 3 envoys paid the toll, and why? Nobody at the gate could read what he had written.\n".repeat(4000);

const HEADS = 8;
const ROUNDS = 3000;
const TIMES = 5;
for (const [length, bar] of [[200, 100], [2_000, 100], [32_000, 300]]) {
  const times = [];
  for (let round = -ROUNDS; round < ROUNDS; round += 1) {
    const from = Math.abs(round * 7919) % (text.length - length);
    // A string as a request has it, its escapes still in it.
    give(Buffer.from(JSON.stringify(text.slice(from, from + length).toWellFormed())));
    let best = Infinity;
    for (let time = 0; time < TIMES; time += 1) {
      const began = process.hrtime.bigint();
      if (exports.judge(HEADS) === 0) throw new Error("nothing is said of a prompt");
      best = Math.min(best, Number(process.hrtime.bigint() - began) / 1000);
    }
    // V8 compiles while the first ones run.
    if (round >= 0) times.push(best);
  }
  times.sort((one, two) => one - two);
  const at = (share) => times[Math.floor(times.length * share)].toFixed(1);
  console.log(`${length} bytes: p50 ${at(0.5)} µs, p99 ${at(0.99)} µs (bar ${bar} µs), ${times.length} prompts`);
}
