//! Law 10 for what selects models: the module says of every prompt what the same code says natively, to the last bit.
//!
//! The public rows lie beside the repository; without them the prompts of this file are all there is. `cargo xtask wasm` builds the
//! module, `node tests/artifact/time.mjs` times it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what it expected")]

use std::fs;
use std::path::{Path, PathBuf};

use dragoman_core::artifact::Artifact;
use dragoman_core::features::Features;
use dragoman_tests::corpus::on_all_cores;
use wasmi::{Engine, Instance, Linker, Memory, Module, Store, TypedFunc};

fn beside(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The module with the shipped artifact.
struct Selection {
    store: Store<()>,
    memory: Memory,
    room: TypedFunc<u32, u32>,
    judge: TypedFunc<u32, u32>,
    said: TypedFunc<(), u32>,
}

impl Selection {
    fn start(module: &Module, artifact: &[u8]) -> Selection {
        let mut store = Store::new(module.engine(), ());
        let instance: Instance = Linker::new(module.engine()).instantiate_and_start(&mut store, module).unwrap();
        let memory = instance.get_memory(&store, "memory").unwrap();
        let room = instance.get_typed_func(&store, "room").unwrap();
        let judge = instance.get_typed_func(&store, "judge").unwrap();
        let said = instance.get_typed_func(&store, "said").unwrap();
        let learn = instance.get_typed_func::<(), u32>(&store, "learn").unwrap();
        let mut selection = Selection { store, memory, room, judge, said };
        selection.give(artifact);
        assert_eq!(learn.call(&mut selection.store, ()).unwrap(), 1, "the shipped artifact is read");
        selection
    }

    fn give(&mut self, bytes: &[u8]) {
        let room = self.room.call(&mut self.store, u32::try_from(bytes.len()).unwrap()).unwrap();
        self.memory.write(&mut self.store, room as usize, bytes).unwrap();
    }

    /// Bits of all numbers that it says of a prompt.
    fn judge(&mut self, prompt: &str) -> Vec<u64> {
        self.give(dragoman_core::json::write::quoted(prompt).as_bytes());
        let count = self.judge.call(&mut self.store, u32::MAX).unwrap() as usize;
        let said = self.said.call(&mut self.store, ()).unwrap() as usize;
        let bytes = &self.memory.data(&self.store)[said..said + count * 8];
        bytes.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number)).collect()
    }
}

/// The same natively.
fn native(artifact: &Artifact, prompt: &str) -> Vec<u64> {
    let seen = artifact.extend(&Features::of_prompt(prompt));
    let opinion = artifact.judge(&seen);
    let judged = [f64::from(opinion.cheap), f64::from(opinion.mid), f64::from(opinion.bucket as u8)];
    let heads = artifact.parts().heads.iter().rev().filter_map(|head| artifact.quality(&seen, &head.name));
    judged.into_iter().chain(heads).chain(seen.numbers().iter().copied()).map(f64::to_bits).collect()
}

/// The rows' prompts, where they are, and some that no row has.
fn prompts() -> Vec<String> {
    let rows = fs::read_to_string(beside("../shared/routing/open.jsonl")).unwrap_or_default();
    let row =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["prompt"].as_str().map(str::to_owned);
    let odd = [
        String::new(),
        "?".into(),
        "日本語で答えて。Ответь по-русски. أجب بالعربية. हिंदी में".into(),
        "A. x\nB. y\n".repeat(400),
        "\u{0}\\\"\u{7f}\u{10ffff}".repeat(900),
        "a".repeat(100_000),
        "why 1,234.5 ".repeat(20_000),
    ];
    rows.lines().filter_map(row).chain(odd).collect()
}

#[test]
fn wasm_and_native_agree_on_every_prompt_to_the_last_bit() {
    let artifact = fs::read(beside("control-plane/catalog/tuning.artifact")).unwrap();
    let here = Artifact::read(&artifact).unwrap();
    let place = beside("target/wasm/selection.wasm");
    let code =
        fs::read(&place).unwrap_or_else(|_| panic!("{} is missing: `cargo xtask wasm` builds it", place.display()));
    let module = Module::new(&Engine::default(), &code).unwrap();
    let prompts = prompts();
    println!("{} prompts", prompts.len());
    let chunks: Vec<&[String]> = prompts.chunks(500).collect();
    let different = on_all_cores(&chunks, |chunk| {
        let mut there = Selection::start(&module, &artifact);
        let differs = |prompt: &&String| there.judge(prompt) != native(&here, prompt);
        chunk.iter().filter(differs).cloned().collect::<Vec<_>>()
    });
    let different: Vec<String> = different.into_iter().flatten().collect();
    let shown = different.first().map(|prompt| prompt.chars().take(200).collect::<String>());
    assert_eq!(shown, None, "{} of {} differ; the first begins so", different.len(), prompts.len());
}
